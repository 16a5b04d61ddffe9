package dicomio

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// uneven returns the error for the slices at places, in order along their normal,
// that form no grid. It names the slices that are missing, or the distances.
func uneven(list []Slice, places [][]int) error {
	at := make([]float64, len(places))
	for k, place := range places {
		at[k] = list[place[0]].plane.depth()
	}
	gaps := make([]float64, len(at)-1)
	for i := range gaps {
		gaps[i] = at[i+1] - at[i]
	}
	if len(gaps) == 0 {
		return unprocessable("a single slice without a thickness (0018,0050)")
	}
	usual := slices.Sorted(slices.Values(gaps))[(len(gaps)-1)/2]
	least, most := slices.Min(gaps), slices.Max(gaps)
	slack := evenSlack*usual + 2*samePlaceMM
	if most-least <= slack {
		return unprocessable("the slices lie %s mm apart along their normal, but not on a line: their positions (0020,0032) shift within the plane", millimetres(usual))
	}
	missing := make([]int, len(gaps))
	all := 0
	for i, gap := range gaps {
		n := math.Round(gap / usual)
		if n < 1 || n > maxFrames || math.Abs(gap-n*usual) > slack {
			return unprocessable("the slices are unevenly spaced: %s to %s mm apart along their normal", millimetres(least), millimetres(most))
		}
		missing[i] = int(n) - 1
		all += missing[i]
	}
	verb := "slices are"
	if all == 1 {
		verb = "slice is"
	}
	return unprocessable("%d %s missing along the normal: %s; the others lie %s mm apart", all, verb, gapsText(list, places, at, missing), millimetres(usual))
}

// maxGaps is how many gaps gapsText names.
const maxGaps = 4

// gapsText says where slices are missing: "between 12 and 14, at 34.5 mm; 2 between 20
// and 23, at 60 to 63 mm". Slices
// have their instance numbers, or those of their frames.
func gapsText(list []Slice, places [][]int, at []float64, missing []int) string {
	var parts []string
	more := 0
	for i, n := range missing {
		switch {
		case n == 0:
			continue
		case len(parts) == maxGaps:
			more++
			continue
		}
		step := (at[i+1] - at[i]) / float64(n+1)
		where := millimetres(at[i]+step) + " mm"
		if n > 1 {
			where = millimetres(at[i]+step) + " to " + millimetres(at[i+1]-step) + " mm"
		}
		before, after := list[places[i][0]].number, list[places[i+1][0]].number
		if before == after {
			before, after = i+1, i+2
		}
		text := fmt.Sprintf("between %d and %d, at %s", before, after, where)
		if n > 1 {
			text = fmt.Sprint(n, " ", text)
		}
		parts = append(parts, text)
	}
	text := strings.Join(parts, "; ")
	if more > 0 {
		text += fmt.Sprintf("; and in %d more places", more)
	}
	return text
}
