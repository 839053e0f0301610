#include "textflag.h"

// func spin(rounds int, other *[64]uint64)
TEXT ·spin(SB), NOSPLIT, $0-16
	MOVD	rounds+0(FP), R0
	MOVD	other+8(FP), R1
	MOVD	g, R2
	MOVD	R1, g
again:
	SUBS	$1, R0, R0
	BNE	again
	MOVD	R2, g
	RET
