//go:build windows && !cgo

package win
