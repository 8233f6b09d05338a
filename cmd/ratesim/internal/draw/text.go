package draw

import (
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// Anchor is where a text stands beside its place.
type Anchor float64

// The anchors.
const (
	Start  Anchor = 0
	Middle Anchor = 0.5
	End    Anchor = 1
)

var face = sync.OnceValue(func() *sfnt.Font {
	f, err := sfnt.Parse(goregular.TTF)
	if err != nil {
		panic(err) // it is a part of the program
	}
	return f
})

// outlined returns the outline of a text of size 1 that begins at 0, 0, and its width.
func outlined(text string) (outline []contour, width float64) {
	f := face()
	var buffer sfnt.Buffer
	em := fixed.Int26_6(f.UnitsPerEm()) << 6
	unit := 1 / float64(em)
	for _, r := range text {
		glyph, err := f.GlyphIndex(&buffer, r)
		if err != nil {
			continue
		}
		segments, err := f.LoadGlyph(&buffer, glyph, em, nil)
		if err != nil {
			continue
		}
		for _, s := range segments {
			n := map[sfnt.SegmentOp]int{sfnt.SegmentOpMoveTo: 1, sfnt.SegmentOpLineTo: 1, sfnt.SegmentOpQuadTo: 2, sfnt.SegmentOpCubeTo: 3}[s.Op]
			one := segment{n: n}
			for i := range n {
				one.p[i] = Point{width + float64(s.Args[i].X)*unit, float64(s.Args[i].Y) * unit}
			}
			if s.Op == sfnt.SegmentOpMoveTo {
				outline = append(outline, contour{one})
			} else {
				last := len(outline) - 1
				outline[last] = append(outline[last], one)
			}
		}
		if advance, err := f.GlyphAdvance(&buffer, glyph, em, font.HintingNone); err == nil {
			width += float64(advance) * unit
		}
	}
	return outline, width
}

// Width returns how wide a text of the size is.
func Width(text string, size float64) float64 {
	_, width := outlined(text)
	return width * size
}

// Fit returns the text, or as much of its beginning as fits into the width, and an ellipsis.
func Fit(text string, size, width float64) string {
	if Width(text, size) <= width {
		return text
	}
	runes := []rune(text)
	for n := len(runes) - 1; n > 0; n-- {
		if short := string(runes[:n]) + "…"; Width(short, size) <= width {
			return short
		}
	}
	return ""
}

// Text writes a text whose base line is at y.
func (p *Picture) Text(x, y, size float64, anchor Anchor, role Role, text string) {
	outline, width := outlined(text)
	x -= width * size * float64(anchor)
	for _, c := range outline {
		for i := range c {
			for j := range c[i].n {
				c[i].p[j] = Point{x + c[i].p[j].X*size, y + c[i].p[j].Y*size}
			}
		}
	}
	if len(outline) > 0 {
		p.add(role, 1, outline...)
	}
}
