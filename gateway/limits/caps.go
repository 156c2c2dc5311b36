package limits

import "github.com/dashfeed/dashfeed/messages/wire"

// Hold adds n to what a caller holds of a cap, or adds nothing and returns the error. Give it back
// with Release, and the same arguments.
func (l *Limits) Hold(limit Limit, by *By, k Key, n int64) *wire.Error {
	most := l.most(limit, by, k)
	own, lowered := lower(limit, by, most)
	at := l.keyOf(limit, by, k)
	l.mu.Lock()
	defer l.mu.Unlock()
	if float64(l.held[at]+n) > most {
		return l.refuse(limit, at, most, 0)
	}
	if lowered {
		at := loweredKey(limit, by)
		if float64(l.held[at]+n) > own {
			return l.refuse(limit, at, own, 0)
		}
	}
	l.add(at, n)
	if _, ok := by.Lower[limit]; ok {
		l.add(loweredKey(limit, by), n)
	}
	return nil
}

// Release gives back what Hold has added.
func (l *Limits) Release(limit Limit, by *By, k Key, n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(l.keyOf(limit, by, k), -n)
	if _, ok := by.Lower[limit]; ok {
		l.add(loweredKey(limit, by), -n)
	}
}

// Count counts what was refused by a limit that its user counts and names itself.
func (l *Limits) Count(limit Limit) { l.metrics.limited[limit].Inc() }

// Refuse counts and returns the error of a limit that its user counts, and that is most for it.
func (l *Limits) Refuse(limit Limit, by *By, most float64) *wire.Error {
	return l.refuse(limit, l.keyOf(limit, by, Key{}), most, 0)
}

// Held returns how many caps have something held.
func (l *Limits) Held() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.held)
}

func (l *Limits) add(k key, n int64) {
	if l.held[k] += n; l.held[k] == 0 {
		delete(l.held, k)
	}
}
