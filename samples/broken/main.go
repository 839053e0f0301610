// Broken does not compile, on purpose: `go build` ends with 1, and gotrace must end with it too.
package main

import (
	"fmt"

	"example.com/broken/fine"
)

func main() {
	var half string = fine.Half(4)
	fmt.Println(half)
}
