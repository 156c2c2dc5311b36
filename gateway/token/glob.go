package token

// Globs is a set of patterns for names. In a pattern, * stands for any run of characters and ? for
// one character; every other character stands for itself.
type Globs []string

// Match reports whether a pattern matches the whole name.
func (g Globs) Match(name string) bool {
	for _, p := range g {
		if matches(p, name) {
			return true
		}
	}
	return false
}

// matches goes back to the last * only, so it takes no longer than the product of both lengths.
func matches(pattern, name string) bool {
	p, n := 0, 0
	star, after := -1, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, after = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			p++
			n++
		case star >= 0:
			after++
			p, n = star+1, after
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
