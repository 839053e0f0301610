package rot

import "testing"

func TestRot13(t *testing.T) {
	if got := Rot13("Hello, World 7"); got != "Uryyb, Jbeyq 7" {
		t.Error(got)
	}
}
