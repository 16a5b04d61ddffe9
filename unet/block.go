package unet

import (
	"fmt"
	"slices"

	"segd/unet/op"
)

// A block is one level of the encoder or decoder. It reads its sources as if
// they were concatenated and outputs LevelWidth channels. For each kind, one
// function draws the block and the function below it lists its weights.
func (b *builder) block(name string, level int, x ...op.Act) op.Act {
	switch b.Block {
	case BlockResidual:
		return b.residual(name, level, x...)
	case BlockPreact:
		return b.preact(name, level, x...)
	case BlockDense:
		return b.dense(name, level, x...)
	}
	return b.plain(name, level, x...)
}

// block lists the weights of a block with in input channels.
func (l *layout) block(name string, level, in int) {
	switch l.Block {
	case BlockResidual, BlockPreact:
		l.units(name, level, in)
	case BlockDense:
		l.dense(name, level, in)
	default:
		l.plain(name, level, in)
	}
}

// convAt and normAt name the i-th convolution of a block and its normalisation,
// counting from 1.
func convAt(name string, i int) string { return fmt.Sprintf("%s.conv%d", name, i) }
func normAt(name string, i int) string { return fmt.Sprintf("%s.norm%d", name, i) }

// plain draws consecutive 3×3 convolutions, each followed by normalisation and
// ReLU. With two, it is the double convolution of Ronneberger et al. 2015, Fig.
// 1.
func (b *builder) plain(name string, level int, x ...op.Act) op.Act {
	for i := 1; i <= b.Convs; i++ {
		x = []op.Act{b.convNorm(convAt(name, i), normAt(name, i), level, true, x...)}
	}
	return x[0]
}

func (l *layout) plain(name string, level, in int) {
	for i := 1; i <= l.Convs; i++ {
		l.convNorm(convAt(name, i), normAt(name, i), level, roleConv, 3, l.LevelWidth(level), in)
		in = l.LevelWidth(level)
	}
}

// residual draws units of two convolutions with an added shortcut (He et al.
// 2016a, arXiv:1512.03385, Fig. 2, with the projection of option B). The
// gradient passes the sum unchanged.
func (b *builder) residual(name string, level int, x ...op.Act) op.Act {
	for i := 1; i < b.Convs; i += 2 {
		y := b.convNorm(convAt(name, i), normAt(name, i), level, true, x...)
		y = b.convNorm(convAt(name, i+1), normAt(name, i+1), level, false, y)
		shortcut := x[0]
		if i == 1 && b.has(name+".shortcut.conv.weight") {
			shortcut = b.convNorm(name+".shortcut.conv", name+".shortcut.norm", level, false, x...)
		}
		x = []op.Act{b.add(true, y, shortcut)}
	}
	return x[0]
}

// preact draws the units of He et al. 2016b (arXiv:1603.05027), Fig. 1(b): the
// shortcut path has only sums, and convolutions read normalised and activated
// values. As at the stages of that paper's networks, the convolution and the
// projection of the first unit share the activation before it. Here that
// activation ends the previous block, so that the output of every kind of block
// is activated.
func (b *builder) preact(name string, level int, x ...op.Act) op.Act {
	shortcut := x[0]
	if b.has(name + ".shortcut.conv.weight") {
		shortcut = b.conv(name+".shortcut.conv", false, x...)
	}
	for i := 1; i < b.Convs; i += 2 {
		y := b.convNorm(convAt(name, i), normAt(name, i), level, true, x...)
		shortcut = b.add(false, b.conv(convAt(name, i+1), false, y), shortcut)
		x = []op.Act{b.norm(normAt(name, i+1), level, true, shortcut)}
	}
	return x[0]
}

// units lists the weights of residual and preact. In both, each convolution has
// its normalisation, and the shortcut is projected if the channels differ.
func (l *layout) units(name string, level, in int) {
	out, total := l.LevelWidth(level), in
	for i := 1; i < l.Convs; i += 2 {
		l.convNorm(convAt(name, i), normAt(name, i), level, roleConv, 3, out, in)
		l.convNorm(convAt(name, i+1), normAt(name, i+1), level, roleLinear, 3, out, out)
		in = out
	}
	switch {
	case total == out:
	case l.Block == BlockPreact:
		l.conv(name+".shortcut.conv", level, roleLinear, 1, out, total, l.Norm == NormNone)
	default:
		l.convNorm(name+".shortcut.conv", name+".shortcut.norm", level, roleLinear, 1, out, total)
	}
}

// dense draws convolutions that each read all earlier outputs, including the
// sources of the block, and add Growth channels (Huang et al. 2017,
// arXiv:1608.06993, Fig. 1). A 1×1 transition then gives the level's width.
// Growth increases with the level as the width does (Huang et al. 2018,
// CondenseNet, arXiv:1711.09224).
//
// Convolutions read several sources, so nothing is copied for concatenation.
// Normalisation and ReLU follow each convolution instead of preceding it as in
// the paper: each layer is normalised once, not once per reader.
func (b *builder) dense(name string, level int, x ...op.Act) op.Act {
	for i := 1; i <= b.Convs; i++ {
		y := b.convNorm(convAt(name, i), normAt(name, i), level, true, x...)
		x = append(slices.Clip(x), y)
	}
	return b.convNorm(name+".transition.conv", name+".transition.norm", level, true, x...)
}

func (l *layout) dense(name string, level, in int) {
	growth := l.levelGrowth(level)
	for i := 1; i <= l.Convs; i++ {
		l.convNorm(convAt(name, i), normAt(name, i), level, roleConv, 3, growth, in)
		in += growth
	}
	l.convNorm(name+".transition.conv", name+".transition.norm", level, roleConv, 1, l.LevelWidth(level), in)
}
