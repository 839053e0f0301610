module clobbered

go 1.21
