module example.com/zlib

go 1.21
