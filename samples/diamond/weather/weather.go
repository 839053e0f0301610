// Package weather is the quick side of the diamond: compiled long before terrain is.
package weather

import "example.com/diamond/units"

// AtSeaLevel is the temperature of a month, 1 to 12, where the land is flat.
func AtSeaLevel(month int) units.Celsius {
	return [...]units.Celsius{2, 3, 6, 10, 15, 18, 20, 20, 16, 11, 6, 3}[(month-1)%12]
}
