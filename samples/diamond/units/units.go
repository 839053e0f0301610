// Package units is the bottom of the diamond: everything waits for it.
package units

import "fmt"

// Metres is a height or a distance.
type Metres float64

// Celsius is a temperature.
type Celsius float64

// Cooler is the temperature at a height above a place: 6.5 degrees less for each kilometre.
func (c Celsius) Cooler(height Metres) Celsius {
	return c - Celsius(height)*0.0065
}

func (m Metres) String() string  { return fmt.Sprintf("%.0f m", float64(m)) }
func (c Celsius) String() string { return fmt.Sprintf("%.1f °C", float64(c)) }
