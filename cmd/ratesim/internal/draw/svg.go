package draw

import (
	"encoding/xml"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"math"
	"strconv"
	"strings"

	"golang.org/x/image/vector"
)

// SVG returns the picture as a document, or as an element of HTML.
func (p *Picture) SVG() string {
	var b strings.Builder
	var title strings.Builder
	_ = xml.EscapeText(&title, []byte(p.Title))
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %s %s" width="%s" height="%s" role="img"><title>%s</title>`,
		number(p.width), number(p.height), number(p.width), number(p.height), title.String())
	b.WriteString("<style>")
	for _, c := range palette {
		fmt.Fprintf(&b, ".%s{fill:%s}", c.name, c.light)
	}
	b.WriteString("@media(prefers-color-scheme:dark){")
	for _, c := range palette {
		fmt.Fprintf(&b, ".%s{fill:%s}", c.name, c.dark)
	}
	b.WriteString("}</style>\n")
	for _, s := range p.shapes {
		fmt.Fprintf(&b, `<path class="%s"`, palette[s.role].name)
		if s.opacity != 1 {
			fmt.Fprintf(&b, ` opacity="%s"`, strconv.FormatFloat(s.opacity, 'f', 2, 64))
		}
		b.WriteString(` d="`)
		for _, c := range s.outline {
			c.path(&b)
		}
		b.WriteString("\"/>\n")
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// path writes a contour in relative steps of whole hundredths, which adds up to no error.
func (c contour) path(b *strings.Builder) {
	x, y := hundredths(c[0].p[0].X), hundredths(c[0].p[0].Y)
	b.WriteString("M" + number(float64(x)/100) + separated(y))
	for _, s := range c[1:] {
		if dx, dy := hundredths(s.p[0].X)-x, hundredths(s.p[0].Y)-y; s.n == 1 && (dx == 0 || dy == 0) {
			if dy == 0 {
				b.WriteString("h" + number(float64(dx)/100))
			} else {
				b.WriteString("v" + number(float64(dy)/100))
			}
			x, y = x+dx, y+dy
			continue
		}
		b.WriteByte("lqc"[s.n-1])
		for i := range s.n {
			px, py := hundredths(s.p[i].X), hundredths(s.p[i].Y)
			if i == 0 {
				b.WriteString(number(float64(px-x) / 100))
			} else {
				b.WriteString(separated(px - x))
			}
			b.WriteString(separated(py - y))
		}
		x, y = hundredths(s.p[s.n-1].X), hundredths(s.p[s.n-1].Y)
	}
	b.WriteByte('z')
}

func hundredths(f float64) int { return int(math.Round(f * 100)) }

func separated(h int) string {
	text := number(float64(h) / 100)
	if text[0] == '-' {
		return text
	}
	return " " + text
}

func number(f float64) string {
	return strings.TrimRight(strings.TrimRight(strconv.FormatFloat(f, 'f', 2, 64), "0"), ".")
}

// bounds returns the pixels that a shape touches.
func (s *shape) bounds(scale float64) image.Rectangle {
	low, high := Point{math.Inf(1), math.Inf(1)}, Point{math.Inf(-1), math.Inf(-1)}
	for _, c := range s.outline {
		for _, one := range c {
			for _, q := range one.p[:one.n] {
				low, high = Point{min(low.X, q.X), min(low.Y, q.Y)}, Point{max(high.X, q.X), max(high.Y, q.Y)}
			}
		}
	}
	return image.Rect(int(math.Floor(low.X*scale)), int(math.Floor(low.Y*scale)), int(math.Ceil(high.X*scale)), int(math.Ceil(high.Y*scale)))
}

// PNG writes the picture in light colours on white, with twice as many pixels.
func (p *Picture) PNG(w io.Writer) error {
	const scale = 2
	width, height := int(math.Ceil(p.width*scale)), int(math.Ceil(p.height*scale))
	canvas := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.Draw(canvas, canvas.Bounds(), image.White, image.Point{}, draw.Src)
	r := vector.NewRasterizer(0, 0)
	for _, s := range p.shapes {
		area := s.bounds(scale).Intersect(canvas.Bounds())
		if area.Empty() {
			continue
		}
		r.Reset(area.Dx(), area.Dy())
		at := func(q Point) (x, y float32) {
			return float32(q.X*scale) - float32(area.Min.X), float32(q.Y*scale) - float32(area.Min.Y)
		}
		for _, c := range s.outline {
			r.MoveTo(at(c[0].p[0]))
			for _, one := range c[1:] {
				ax, ay := at(one.p[0])
				bx, by := at(one.p[1])
				cx, cy := at(one.p[2])
				switch one.n {
				case 1:
					r.LineTo(ax, ay)
				case 2:
					r.QuadTo(ax, ay, bx, by)
				default:
					r.CubeTo(ax, ay, bx, by, cx, cy)
				}
			}
			r.ClosePath()
		}
		full := parseColor(palette[s.role].light)
		alpha := uint8(math.Round(255 * s.opacity))
		fill := color.NRGBA{R: full.R, G: full.G, B: full.B, A: alpha}
		r.Draw(canvas, area, image.NewUniform(fill), image.Point{})
	}
	return png.Encode(w, canvas)
}
