// Forecast is the top of the diamond.
package main

import (
	"fmt"

	"example.com/diamond/terrain"
	"example.com/diamond/weather"
)

func main() {
	for month := 1; month <= 12; month += 3 {
		for _, place := range []string{"valley", "village", "summit"} {
			height := terrain.Height(place)
			fmt.Printf("month %2d, %s at %v: %v\n", month, place, height, weather.AtSeaLevel(month).Cooler(height))
		}
	}
}
