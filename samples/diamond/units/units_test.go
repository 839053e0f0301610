package units

import "testing"

func TestCooler(t *testing.T) {
	if got := Celsius(20).Cooler(1000); got != 13.5 {
		t.Errorf("1000 m above 20 °C: %v", got)
	}
}
