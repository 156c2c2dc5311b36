package placement

import (
	"math/bits"

	"github.com/zeebo/xxh3"
)

// mix is a 64-bit finaliser (MurmurHash3's). Without one, names that differ only in the last letter
// draw similar numbers, and one of three nodes gets half of the shards.
func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	return x
}

// seed returns a name's part in every draw.
func seed(name string) uint64 { return mix(xxh3.HashString(name)) }

// draw returns the number that a member draws for a shard, uniform over 64 bits.
func draw(seed uint64, shard int) uint64 { return mix(seed ^ mix(uint64(shard)+0x9e3779b97f4a7c15)) }

// price converts a draw into the shard's price for this member; the lowest price is best.
// -log2(draw)/weight makes the chance of the lowest price proportional to the weight. It uses
// integers, because floats may differ in their last bit between architectures, and a table must
// not.
func price(drawn uint64, weight int) uint64 {
	return (nlog2(drawn) << 10) / uint64(weight)
}

const fraction = 40 // binary digits of nlog2 after the point

// nlog2 returns 64 - log2(x), with `fraction` binary digits.
func nlog2(x uint64) uint64 {
	if x == 0 {
		x = 1
	}
	n := bits.Len64(x) - 1
	x <<= 63 - n // in [1, 2), one digit before the point
	log := uint64(n)
	for range fraction {
		hi, lo := bits.Mul64(x, x) // in [1, 4), two digits before the point
		log <<= 1
		if hi>>63 == 1 {
			log |= 1
			x = hi
		} else {
			x = hi<<1 | lo>>63
		}
	}
	return 64<<fraction - log
}
