package main

import "testing"

func TestGreeting(t *testing.T) {
	if got := greeting("test"); got != "hello, test" {
		t.Errorf("greeting: %q", got)
	}
}
