// Hashes ten times by the code that FIPS 140 mode checks, and says whether that is on.
package main

import (
	"crypto/fips140"
	"crypto/sha256"
	"fmt"
)

//go:noinline
func digest(text string, rounds int) []byte {
	hash := sha256.New()
	for range rounds {
		hash.Write([]byte(text))
	}
	return hash.Sum(nil)
}

func main() {
	for rounds := range 10 {
		fmt.Printf("%x\n", digest("text", rounds))
	}
	fmt.Println(fips140.Enabled())
}
