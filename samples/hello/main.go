// Hello is the smallest program there is to build: what remains is the standard library.
package main

import "fmt"

func main() {
	fmt.Println(greeting("build"))
}

func greeting(name string) string {
	return "hello, " + name
}
