package main

import (
	"bytes"
	"compress/zlib"
	"io"
	"testing"
)

// Go's own zlib reads what the system's has packed.
func TestPack(t *testing.T) {
	text := bytes.Repeat([]byte("again "), 500)
	packed, err := pack(text)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	if back, err := io.ReadAll(reader); err != nil || !bytes.Equal(back, text) {
		t.Errorf("%d bytes came back, error %v", len(back), err)
	}
}
