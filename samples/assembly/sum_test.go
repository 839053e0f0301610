package assembly

import "testing"

func TestSum(t *testing.T) {
	for _, test := range []struct {
		numbers []uint64
		want    uint64
	}{
		{nil, 0},
		{[]uint64{7}, 7},
		{[]uint64{1, 2, 3, 4}, 10},
		{[]uint64{1 << 63, 1 << 63, 5}, 5},
	} {
		if got := Sum(test.numbers); got != test.want {
			t.Errorf("sum of %v: %d, not %d", test.numbers, got, test.want)
		}
	}
}
