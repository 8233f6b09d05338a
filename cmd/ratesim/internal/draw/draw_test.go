package draw

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
)

// paths returns the shapes of a picture, one a line.
func paths(p *Picture) string {
	_, shapes, _ := strings.Cut(p.SVG(), "</style>\n")
	return strings.TrimSuffix(shapes, "</svg>\n")
}

// An SVG has a title, a size, the colours of both schemes, and no background.
func TestSVG(t *testing.T) {
	p := New(`a<b & "c"`, 40.126, 30.5)
	p.Rect(1, 2, 3, 4.125, Ink, 1)
	require.Equal(t, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40.13 30.5" width="40.13" height="30.5" role="img">`+
		`<title>a&lt;b &amp; &#34;c&#34;</title><style>`+
		`.ink{fill:#1f2328}.muted{fill:#59636e}.grid{fill:#d1d9e0}.granted{fill:#2f6fb5}.refused{fill:#c8501e}.limit{fill:#2b7a3d}`+
		`@media(prefers-color-scheme:dark){`+
		`.ink{fill:#e6edf3}.muted{fill:#9198a1}.grid{fill:#3d444d}.granted{fill:#6cb0f5}.refused{fill:#ff9a5c}.limit{fill:#5fd07a}}</style>`+
		"\n<path class=\"ink\" d=\"M1 2h3v4.13h-3z\"/>\n</svg>\n", p.SVG())
}

// Shapes are written in steps from one hundredth to another, so rounding does not add up.
func TestShapes(t *testing.T) {
	for _, row := range []struct {
		name string
		draw func(p *Picture)
		want string
	}{
		{"a rectangle that can be seen through", func(p *Picture) { p.Rect(1.5, 2, 3, 4, Grid, 0.25) }, `<path class="grid" opacity="0.25" d="M1.5 2h3v4h-3z"/>`},
		{"thirds", func(p *Picture) { p.Rect(1.0/3, 10.0/3, 1.0/3, 1.0/3, Muted, 1) }, `<path class="muted" d="M0.33 3.33h0.34v0.34h-0.34z"/>`},
		{"next to nothing below zero", func(p *Picture) { p.Rect(-0.001, 0, 1, 1, Muted, 1) }, `<path class="muted" d="M0 0h1v1h-1z"/>`},
		{"several in one shape", func(p *Picture) { p.Rects(Granted, 1, [4]float64{0, 0, 1, 1}, [4]float64{2, 0, 1, 3}) },
			`<path class="granted" d="M0 0h1v1h-1zM2 0h1v3h-1z"/>`},
		{"one", func(p *Picture) { p.Rects(Granted, 1, [4]float64{0, 0, 1, 1}) }, `<path class="granted" d="M0 0h1v1h-1z"/>`},
		{"none", func(p *Picture) { p.Rects(Granted, 1) }, ""},
		{"a line with a corner, and a point on the way", func(p *Picture) { p.Line(Limit, 2, 0, Point{0, 10}, Point{5, 10}, Point{10, 10}, Point{10, 20}) },
			`<path class="limit" d="M-0.5 11h11v-2h-11zM9 9.5v11h2v-11z"/>`},
		{"a slope", func(p *Picture) { p.Line(Limit, 5, 0, Point{1, 2}, Point{4, 6}, Point{7, 2}) },
			`<path class="limit" d="M-1.75 2.5l4.5 6l4-3l-4.5-6zM5.25 8.5l4.5-6l-4-3l-4.5 6z"/>`},
		{"a point on the way that is not in the middle", func(p *Picture) { p.Line(Limit, 5, 0, Point{1, 2}, Point{2.5, 4}, Point{7, 10}, Point{7, 10}) },
			`<path class="limit" d="M-1.75 2.5l7.5 10l4-3l-7.5-10z"/>`},
		{"dashes that go round a corner", func(p *Picture) { p.Line(Refused, 2, 3, Point{0, 10}, Point{10, 10}, Point{10, 14}) },
			`<path class="refused" d="M-0.5 11h4v-2h-4zM5.5 11h4v-2h-4zM9 11.5v3h2v-3z"/>`},
		{"dashes on a slope", func(p *Picture) { p.Line(Refused, 1, 5, Point{0, 0}, Point{9, 12}) },
			`<path class="refused" d="M-0.55 0.1l3.3 4.4l0.8-0.6l-3.3-4.4zM5.45 8.1l3.3 4.4l0.8-0.6l-3.3-4.4z"/>`},
		{"short dashes", func(p *Picture) { p.Line(Refused, 1, 0.5, Point{0, 0}, Point{1.5, 0}) }, `<path class="refused" d="M-0.25 0.5h1v-1h-1zM0.75 0.5h1v-1h-1z"/>`},
		{"a dash that ends where the line does", func(p *Picture) { p.Line(Refused, 2, 4, Point{0, 10}, Point{12, 10}) },
			`<path class="refused" d="M-0.5 11h5v-2h-5zM7.5 11h5v-2h-5z"/>`},
		{"a dash as long as the way to the corner", func(p *Picture) { p.Line(Refused, 2, 3, Point{0, 0}, Point{3, 0}, Point{3, 4}) },
			`<path class="refused" d="M-0.5 1h4v-2h-4zM2 2.5v2h2v-2z"/>`},
		{"a line of one point", func(p *Picture) { p.Line(Refused, 2, 3, Point{5, 5}) }, ""},
		{"twice the same point", func(p *Picture) { p.Line(Refused, 2, 0, Point{5, 5}, Point{5, 5}) }, ""},
	} {
		p := New("", 40, 40)
		row.draw(p)
		require.Equal(t, row.want, strings.TrimSuffix(paths(p), "\n"), row.name)
	}
}

// Texts are the outlines of the Go font, from, around or up to their place.
func TestText(t *testing.T) {
	const l = "0.28 0.05 0.48q0.05 0.19 0.16 0.32q0.11 0.12 0.27 0.18q0.16 0.06 0.36 0.05v0.7q-0.1 0.03-0.29 0.03" +
		"q-0.32 0-0.6-0.11q-0.29-0.1-0.49-0.3q-0.2-0.21-0.31-0.5q-0.11-0.3-0.11-0.67v-6.25h0.96v6.07z"
	for _, row := range []struct {
		anchor Anchor
		text   string
		want   string
	}{
		{Start, "l", `<path class="muted" d="M11.71 18.36q0 ` + l + `"/>`},
		{Middle, "i.", `<path class="muted" d="M7.94 20v-5.3h0.96v5.3h-0.96zM7.89 13.74v-1.06h1.06v1.06h-1.06zM10.63 20v-1.25h1.25v1.25h-1.25z"/>`},
		{End, ".", `<path class="muted" d="M7.81 20v-1.25h1.26v1.25h-1.26z"/>`},
		{Start, "o", `<path class="muted" d="M12.74 20.12q-1.07 0-1.7-0.75q-0.62-0.75-0.62-2.02q0-1.29 0.63-2.03q0.63-0.74 1.73-0.74q1.09 0 1.72 0.74` +
			`q0.64 0.74 0.64 2.02q0 1.31-0.64 2.04q-0.63 0.74-1.76 0.74zM12.76 19.4q1.34 0 1.34-2.08q0-2.02-1.32-2.02q-1.32 0-1.32 2.05q0 2.05 1.3 2.05z"/>`},
		{Start, " ", ""},
		{Start, "", ""},
	} {
		p := New("", 40, 40)
		p.Text(10, 20, 10, row.anchor, Muted, row.text)
		require.Equal(t, row.want, strings.TrimSuffix(paths(p), "\n"), row.text)
	}
}

// A text is as wide as the font says, whatever draws it.
func TestWidth(t *testing.T) {
	f, err := opentype.Parse(goregular.TTF)
	require.NoError(t, err)
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: 1000, DPI: 72, Hinting: font.HintingNone})
	require.NoError(t, err)
	for _, text := range []string{"", " ", "a", "Most granted", "23:59:59", "ä…", "\u4e16"} {
		advance := 0.0
		for _, r := range text {
			a, _ := face.GlyphAdvance(r)
			advance += float64(a) / 64 / 1000
		}
		require.InDelta(t, advance, Width(text, 1), 1e-4, text)
		require.InDelta(t, 12*Width(text, 1), Width(text, 12), 1e-9, text)
	}
}

// A text that is too wide loses as much of its end as it must.
func TestFit(t *testing.T) {
	for _, row := range []struct {
		width float64
		want  string
	}{
		{Width("mmmmmm", 10), "mmmmmm"},
		{Width("mmmmmm", 10) - 0.01, "mmmm…"},
		{Width("mmmm…", 10), "mmmm…"},
		{Width("mmmm…", 10) - 0.01, "mmm…"},
		{Width("m…", 10), "m…"},
		{Width("m…", 10) - 0.01, ""},
		{0, ""},
	} {
		require.Equal(t, row.want, Fit("mmmmmm", 10, row.width), "%v", row.width)
	}
	require.Equal(t, "ä…", Fit("äöü", 10, Width("ä…", 10)))
}

// A PNG has light colours on white, and four pixels for each point of the SVG.
func TestPNG(t *testing.T) {
	p := New("", 20, 10.2)
	p.Rect(1, 2, 3, 4, Ink, 1)
	p.Rect(10, 1, 2.25, 2.5, Limit, 0.5)
	p.Rect(18, 8, 100, 100, Refused, 1)  // goes on beyond the frame
	p.Rect(-9, -9, 9.5, 9.5, Granted, 1) // begins before it
	p.Rect(500, 500, 1, 1, Granted, 1)   // is outside
	p.Rects(Muted, 1, [4]float64{14, 1, 1, 1}, [4]float64{14, 4, 1, 1})
	var b bytes.Buffer
	require.NoError(t, p.PNG(&b))
	picture, err := png.Decode(&b)
	require.NoError(t, err)
	require.Equal(t, image.Rect(0, 0, 40, 21), picture.Bounds())
	ink, limit, refused, granted, muted := colorOf(Ink), colorOf(Limit), colorOf(Refused), colorOf(Granted), colorOf(Muted)
	white := color.RGBA{255, 255, 255, 255}
	for at, want := range map[image.Point]color.RGBA{
		{2, 4}: ink, {7, 11}: ink, {1, 4}: white, {2, 3}: white, {8, 11}: white, {7, 12}: white,
		{20, 2}: over(limit, 0.5), {23, 6}: over(limit, 0.5), {24, 2}: over(limit, 0.25), {20, 7}: white, {19, 2}: white,
		{36, 16}: refused, {39, 20}: refused, {35, 16}: white, {36, 15}: white,
		{0, 0}: granted, {1, 0}: white, {0, 1}: white,
		{28, 2}: muted, {29, 3}: muted, {28, 4}: white, {28, 7}: white, {28, 8}: muted, {29, 9}: muted, {28, 10}: white,
	} {
		got := color.RGBAModel.Convert(picture.At(at.X, at.Y)).(color.RGBA)
		for _, d := range []int{int(got.R) - int(want.R), int(got.G) - int(want.G), int(got.B) - int(want.B)} {
			require.LessOrEqual(t, max(d, -d), 2, "%v: want %v, got %v", at, want, got)
		}
	}
}

func colorOf(r Role) (c color.RGBA) {
	_, _ = fmt.Sscanf(palette[r].light, "#%02x%02x%02x", &c.R, &c.G, &c.B)
	c.A = 255
	return c
}

// over returns a colour that is seen through, over white.
func over(c color.RGBA, opacity float64) color.RGBA {
	on := func(v uint8) uint8 { return uint8(math.Round(float64(v)*opacity + 255*(1-opacity))) }
	return color.RGBA{on(c.R), on(c.G), on(c.B), 255}
}

// Curves are curves in a PNG as well: an o is round, and empty in its middle.
func TestPNGOfCurves(t *testing.T) {
	p := New("", 40, 40)
	p.Text(2, 34, 60, Start, Ink, "o")
	var b bytes.Buffer
	require.NoError(t, p.PNG(&b))
	picture, err := png.Decode(&b)
	require.NoError(t, err)
	dark := func(x, y int) bool {
		r, _, _, _ := picture.At(x, y).RGBA()
		return r < 1<<15
	}
	left, right, top, bottom, area := 80, 0, 80, 0, 0
	for y := range 80 {
		for x := range 80 {
			if dark(x, y) {
				left, right, top, bottom = min(left, x), max(right, x), min(top, y), max(bottom, y)
				area++
			}
		}
	}
	require.Equal(t, [4]int{9, 65, 3, 68}, [4]int{left, right, top, bottom})
	require.False(t, dark((left+right)/2, (top+bottom)/2))
	require.True(t, dark(left+2, (top+bottom)/2))
	for _, corner := range [][2]int{{left, top}, {right, top}, {left, bottom}, {right, bottom}} {
		require.False(t, dark(corner[0], corner[1]))
	}
	require.InDelta(t, 1748, area, 10)
}
