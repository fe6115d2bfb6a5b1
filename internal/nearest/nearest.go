// Package nearest finds the word that was meant by a mistyped one.
package nearest

import "strings"

// Of returns the word of valid that is nearest to got, without regard to case. It returns false when none is near: at most one letter in three of
// got, and no more than three, may be wrong, missing or too many. Two letters that changed places count as one.
func Of(got string, valid []string) (word string, ok bool) {
	least := 1 + max(1, min(3, len(got)/3))
	for _, v := range valid {
		if d := distance(strings.ToLower(got), strings.ToLower(v)); d < least {
			word, least = v, d
		}
	}
	return word, word != ""
}

// longest is the number of bytes above which a word is not compared: the time grows with the square of the length.
const longest = 64

// distance is the optimal string alignment distance: the number of letters to insert, delete, replace or exchange with their neighbour.
func distance(a, b string) int {
	if len(a) > longest || len(b) > longest {
		return longest
	}
	var before, last []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
