package metric

import "math/rand/v2"

// Draws of the bootstrap: enough for the second digit of an interval's width. The
// seed is fixed, so the same cases always give the same interval.
const (
	draws         = 2000
	bootstrapSeed = 0xb007
)

// bootstrap estimates how much figures would change with other subjects. It draws
// groups with replacement, each with all its cases, because the images of one subject
// are not independent (Field and Welsh 2007, doi:10.1111/j.1467-9868.2007.00593.x;
// percentile interval of Efron and Tibshirani 1993). With only a few groups the
// interval is somewhat too narrow.
type bootstrap struct {
	cases, groups []Entry
	members       [][]int // cases of each group
	sums          [][]Counts
}

// interval collects the draws of one figure.
type interval struct{ draws []float64 }

func (v *interval) add(x float64) { v.draws = append(v.draws, x) }

// bounds returns the 2.5th and 97.5th percentiles, or nil if too few draws have the
// figure.
func (v *interval) bounds() *[2]float64 {
	if len(v.draws) < draws/2 {
		return nil
	}
	return &[2]float64{percentile(v.draws, 2.5), percentile(v.draws, 97.5)}
}

// intervals sets the intervals of the report's summaries.
func (b bootstrap) intervals(r *Report) {
	for k := range r.Mean.Classes {
		rng := rand.New(rand.NewPCG(bootstrapSeed, uint64(k)))
		var dice, iou, hd95, nsd, groupDice, groupIoU, pooledDice, pooledIoU interval
		for range draws {
			var c, d, s average
			var i, gd, gi average
			var pooled Counts
			for range b.groups {
				g := rng.IntN(len(b.groups))
				group := b.groups[g].Classes[k]
				gd.add(group.Dice)
				gi.add(group.IoU)
				pooled = pooled.Plus(b.sums[g][group.Index])
				for _, m := range b.members[g] {
					score := b.cases[m].Classes[k]
					c.add(score.Dice)
					i.add(score.IoU)
					d.addIf(score.HD95)
					s.addIf(score.NSD)
				}
			}
			c.to(&dice)
			i.to(&iou)
			d.to(&hd95)
			s.to(&nsd)
			gd.to(&groupDice)
			gi.to(&groupIoU)
			pooledDice.add(pooled.Dice())
			pooledIoU.add(pooled.IoU())
		}
		m, g, p := &r.Mean.Classes[k], &r.GroupMean.Classes[k], &r.Pooled.Classes[k]
		m.DiceCI, m.IoUCI, m.HD95CI, m.NSDCI = dice.bounds(), iou.bounds(), hd95.bounds(), nsd.bounds()
		g.DiceCI, g.IoUCI = groupDice.bounds(), groupIoU.bounds()
		p.DiceCI, p.IoUCI = pooledDice.bounds(), pooledIoU.bounds()
	}
}

// average accumulates a mean.
type average struct {
	sum float64
	n   int
}

func (a *average) add(v float64) { a.sum, a.n = a.sum+v, a.n+1 }

func (a *average) addIf(v *float64) {
	if v != nil {
		a.add(*v)
	}
}

// to adds the mean, if there is one, to an interval's draws.
func (a *average) to(v *interval) {
	if a.n > 0 {
		v.add(a.sum / float64(a.n))
	}
}
