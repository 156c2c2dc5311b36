package limits

import (
	"time"

	"golang.org/x/time/rate"

	"github.com/dashfeed/dashfeed/messages/wire"
)

// Take takes n from the caller's buckets of a rate, or takes nothing and returns the error.
func (l *Limits) Take(limit Limit, by *By, k Key, n int) *wire.Error {
	if err := l.Check(limit, by, k, n); err != nil {
		return err
	}
	l.Charge(limit, by, k, n)
	return nil
}

// Check returns the error that Take would return, and takes nothing. A caller that asks for several
// limits checks them all before it charges any.
func (l *Limits) Check(limit Limit, by *By, k Key, n int) *wire.Error {
	now := time.Now()
	most := l.most(limit, by, k)
	if err := l.check(l.keyOf(limit, by, k), most, n, now); err != nil {
		return err
	}
	if own, ok := lower(limit, by, most); ok {
		return l.check(loweredKey(limit, by), own, n, now)
	}
	return nil
}

// Charge takes n, whether or not there is as much: what is missing is a debt.
func (l *Limits) Charge(limit Limit, by *By, k Key, n int) {
	now := time.Now()
	most := l.most(limit, by, k)
	l.charge(l.keyOf(limit, by, k), most, n, now)
	if own, ok := lower(limit, by, most); ok {
		l.charge(loweredKey(limit, by), own, n, now)
	}
}

// Wait returns how long a caller has to wait until its buckets are not in debt; 0: it need not.
func (l *Limits) Wait(limit Limit, by *By, k Key) time.Duration {
	now := time.Now()
	most := l.most(limit, by, k)
	wait := l.missing(l.keyOf(limit, by, k), most, 1, now)
	if own, ok := lower(limit, by, most); ok {
		wait = max(wait, l.missing(loweredKey(limit, by), own, 1, now))
	}
	return wait
}

func (l *Limits) check(k key, most float64, n int, now time.Time) *wire.Error {
	if wait := l.missing(k, most, n, now); wait > 0 {
		return l.refuse(k.limit, k, most, wait)
	}
	return nil
}

// missing returns how long it takes until n can be taken; 0: at once. It makes no bucket: one that
// is not there is full.
func (l *Limits) missing(k key, most float64, n int, now time.Time) time.Duration {
	if most == None {
		return 0
	}
	full := Table[k.limit].burst(most)
	need, have := float64(max(1, min(n, full))), float64(full)
	if b, ok := l.buckets.GetIfPresent(k); ok {
		fit(b, most, full, now)
		have = b.TokensAt(now)
	}
	if have+rounding >= need {
		return 0
	}
	if most == 0 || full == 0 {
		return time.Minute
	}
	return time.Duration((need - have) / most * float64(time.Second))
}

// rounding is what a bucket may lack, so that one who waits as long as was said is not refused.
const rounding = 1e-6

func (l *Limits) charge(k key, most float64, n int, now time.Time) {
	if most == None || n <= 0 {
		return
	}
	full := Table[k.limit].burst(most)
	if full == 0 {
		return
	}
	b, ok := l.buckets.GetIfPresent(k)
	if !ok {
		b, _ = l.buckets.SetIfAbsent(k, rate.NewLimiter(rate.Limit(most), full))
	}
	fit(b, most, full, now)
	for ; n > full; n -= full { // a Limiter gives at most a full bucket at once
		_ = b.ReserveN(now, full)
	}
	_ = b.ReserveN(now, n)
}

// fit gives a bucket its current values, which an override may have changed.
func fit(b *rate.Limiter, most float64, full int, now time.Time) {
	if b.Limit() != rate.Limit(most) {
		b.SetLimitAt(now, rate.Limit(most))
		b.SetBurstAt(now, full)
	}
}
