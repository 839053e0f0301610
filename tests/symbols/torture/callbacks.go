package main

/*
extern void callBack(int often);
extern int callBackForked(void);
*/
import "C"

var called = counted("main.exported")

func init() {
	callbacks = func(often int) { C.callBack(C.int(often)) }
	fork = func() {
		if status := C.callBackForked(); status != 0 {
			println("a forked child ended with", status)
		}
	}
}

// The child calls it, too: what that counts is lost with it.
//
//export exported
func exported(n C.int) C.int {
	called.entries.Add(1)
	local := int(n)
	use(&local)
	called.returns.Add(1)
	return C.int(local + 1)
}
