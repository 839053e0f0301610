module example.com/make

go 1.21
