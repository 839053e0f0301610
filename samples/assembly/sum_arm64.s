#include "textflag.h"

// func sum(numbers []uint64) uint64
TEXT ·sum(SB), NOSPLIT, $0-32
	MOVD numbers_base+0(FP), R0
	MOVD numbers_len+8(FP), R1
	MOVD $0, R2

next:
	CBZ    R1, done
	MOVD.P 8(R0), R3
	ADD    R3, R2, R2
	SUB    $1, R1, R1
	B      next

done:
	MOVD R2, ret+24(FP)
	RET
