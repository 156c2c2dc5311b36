package main

// nearest returns the candidate with the fewest edits from name, if they are few enough for a
// typing error.
func nearest(name string, candidates []string) (string, bool) {
	best, least := "", len(name)/2+1
	for _, c := range candidates {
		if d := edits(name, c); d < least {
			best, least = c, d
		}
	}
	return best, best != ""
}

// edits returns how many insertions, deletions and changes make a into b.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
