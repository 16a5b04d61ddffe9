package postprocess

import (
	"fmt"
	"io"

	"segd"
)

// VolumeMeasurement describes one class in a volume. Fields that need a voxel are
// zero, and absent from JSON, if the class has none.
type VolumeMeasurement struct {
	Index  int    `json:"index"`
	Name   string `json:"name"`
	Voxels int    `json:"voxels"`
	// VolumeMM3 is Voxels times the volume of a voxel, if that is known.
	VolumeMM3  *float64 `json:"volume_mm3,omitempty"`
	Components int      `json:"components"` // 26-connected
	// LargestVoxels and LargestMM3 are those of the largest component.
	LargestVoxels int      `json:"largest_component_voxels"`
	LargestMM3    *float64 `json:"largest_component_mm3,omitempty"`
	// Centroid is the mean column, row and plane of the voxels, counted from 0 at
	// the centre of the first voxel.
	Centroid *[3]float64 `json:"centroid,omitempty"`
	// Box is the first column, row and plane, and the size along each, in voxels.
	Box *[6]int `json:"bounding_box,omitempty"`
	// MeanProbability is the mean probability of the class over its own voxels.
	MeanProbability *float64 `json:"mean_probability,omitempty"`
}

// MeasureVolume returns a VolumeMeasurement for each class except background, in
// order, without the probabilities. r gives the class of each voxel in a byte:
// columns, then rows, then planes. voxelMM3 is the volume of a voxel; 0 means
// unknown. Voxels with a class outside classes are ignored. Two planes are held at
// once. The errors are those of r; its end before the last plane is
// io.ErrUnexpectedEOF.
func MeasureVolume(r io.Reader, width, height, depth int, classes []segd.Class, voxelMM3 float64) ([]VolumeMeasurement, error) {
	if len(classes) < 2 {
		return nil, nil
	}
	v := &solids{width: width, height: height, out: make([]VolumeMeasurement, len(classes)), sums: make([]extent, len(classes))}
	plane := make([]byte, width*height)
	for z := range depth {
		if _, err := io.ReadFull(r, plane); err != nil {
			if err == io.EOF { //nolint:errorlint // ReadFull returns it unwrapped
				err = io.ErrUnexpectedEOF
			}
			return nil, fmt.Errorf("postprocess: plane %d of %d: %w", z+1, depth, err)
		}
		v.add(z, plane)
	}
	v.end(nil)
	for k := range v.out {
		o, s, n := &v.out[k], v.sums[k], float64(v.out[k].Voxels)
		o.Index, o.Name = classes[k].Index, classes[k].Name
		if voxelMM3 > 0 {
			all, largest := n*voxelMM3, float64(o.LargestVoxels)*voxelMM3
			o.VolumeMM3, o.LargestMM3 = &all, &largest
		}
		if n > 0 {
			o.Centroid = &[3]float64{s.sum[0] / n, s.sum[1] / n, s.sum[2] / n}
			o.Box = &[6]int{s.low[0], s.low[1], s.low[2], s.high[0] - s.low[0] + 1, s.high[1] - s.low[1] + 1, s.high[2] - s.low[2] + 1}
		}
	}
	return v.out[1:], nil
}

// extent is where the voxels of a class lie.
type extent struct {
	sum       [3]float64
	low, high [3]int
}

// solids counts the connected sets of voxels of a volume, plane by plane. Runs of a
// row connect to those of the rows around them in their plane and in the one before;
// a set that no run of the last plane belongs to is complete.
type solids struct {
	width, height int
	out           []VolumeMeasurement // by class
	sums          []extent
	last          runs
	sets          labelSets // of the last plane and this one, from 1
	voxels        []int     // of each set
	class         []uint8
}

// run is voxels of one class side by side in a row.
type run struct {
	first, last int
	class       uint8
	set         int32
}

// runs are those of a plane, row by row: row y is list[start[y]:start[y+1]].
type runs struct {
	list  []run
	start []int
}

func (p *runs) row(y int) []run {
	if y < 0 || y+1 >= len(p.start) {
		return nil
	}
	return p.list[p.start[y]:p.start[y+1]]
}

// add takes plane z.
func (v *solids) add(z int, plane []byte) {
	if v.sets.parent == nil {
		v.sets.parent, v.voxels, v.class = []int32{0}, []int{0}, []uint8{0}
	}
	now := runs{start: make([]int, 1, v.height+1)}
	for y := range v.height {
		row := plane[y*v.width:][:v.width]
		for x := 0; x < len(row); x++ {
			c := row[x]
			if c == 0 || int(c) >= len(v.out) {
				continue
			}
			first := x
			for x+1 < len(row) && row[x+1] == c {
				x++
			}
			v.measure(c, first, x, y, z)
			now.list = append(now.list, run{first, x, c, v.sets.add()})
			v.voxels, v.class = append(v.voxels, x-first+1), append(v.class, c)
		}
		now.start = append(now.start, len(now.list))
		current := now.row(y)
		v.touch(current, now.row(y-1))
		for dy := -1; dy <= 1; dy++ {
			v.touch(current, v.last.row(y+dy))
		}
	}
	v.end(&now)
	v.last = now
}

// touch joins runs of one row with those of another that they touch.
func (v *solids) touch(a, b []run) {
	meet := func(i, j int) {
		if i < len(a) && j < len(b) && a[i].class == b[j].class && a[i].first <= b[j].last+1 && b[j].first <= a[i].last+1 {
			v.sets.join(a[i].set, b[j].set)
		}
	}
	for i, j := 0, 0; i < len(a) && j < len(b); {
		meet(i, j)
		switch last := b[j].last; {
		case a[i].last < last:
			i++
		case a[i].last > last:
			j++
		default: // each may touch the other's next one, by a corner
			meet(i, j+1)
			meet(i+1, j)
			i, j = i+1, j+1
		}
	}
}

// end counts the sets that are complete, and numbers those of the runs of now again;
// nil: all are complete.
func (v *solids) end(now *runs) {
	voxels := make([]int, len(v.voxels))
	for k := 1; k < len(v.voxels); k++ {
		voxels[v.sets.smallest(int32(k))] += v.voxels[k]
	}
	number := make([]int32, len(v.voxels))
	next := labelSets{parent: []int32{0}}
	count, class := []int{0}, []uint8{0}
	if now != nil {
		for i := range now.list {
			k := v.sets.smallest(now.list[i].set)
			if number[k] == 0 {
				number[k] = next.add()
				count, class = append(count, voxels[k]), append(class, v.class[k])
			}
			now.list[i].set = number[k]
		}
	}
	for k := 1; k < len(voxels); k++ {
		if voxels[k] > 0 && number[k] == 0 {
			o := &v.out[v.class[k]]
			o.Components++
			o.LargestVoxels = max(o.LargestVoxels, voxels[k])
		}
	}
	v.sets, v.voxels, v.class = next, count, class
}

// measure notes where a run lies.
func (v *solids) measure(c uint8, first, last, y, z int) {
	o, s, n := &v.out[c], &v.sums[c], last-first+1
	low, high := [3]int{first, y, z}, [3]int{last, y, z}
	if o.Voxels == 0 {
		s.low, s.high = low, high
	}
	for r := range 3 {
		s.low[r], s.high[r] = min(s.low[r], low[r]), max(s.high[r], high[r])
		s.sum[r] += float64(n) * float64(low[r]+high[r]) / 2
	}
	o.Voxels += n
}
