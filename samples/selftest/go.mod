module selftest

go 1.21
