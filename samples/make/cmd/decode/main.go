// Decode turns its arguments by 13 letters.
package main

import (
	"fmt"
	"os"
	"strings"

	"example.com/make/rot"
)

func main() {
	fmt.Println(rot.Rot13(strings.Join(os.Args[1:], " ")))
}
