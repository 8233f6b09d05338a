package mutants

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// mutant is a change of one place of a file.
type mutant struct {
	id         int
	file       string // path in the module
	start, end int    // of what is replaced
	text       string // by this
	fn         *ast.FuncDecl
	line       int

	name          string // of the function, or ""
	from, mutated string // the lines, before and after: what accepted.txt knows it by
}

func (m *mutant) String() string {
	return fmt.Sprintf("%s:%d: %s\n\t- %s\n\t+ %s", m.file, m.line, m.name, m.from, m.mutated)
}

// replacements says what gremlins means by the types of its mutants.
var replacements = map[string]map[token.Token]token.Token{
	"ARITHMETIC_BASE":       {token.ADD: token.SUB, token.SUB: token.ADD, token.MUL: token.QUO, token.QUO: token.MUL, token.REM: token.MUL},
	"CONDITIONALS_BOUNDARY": {token.GEQ: token.GTR, token.GTR: token.GEQ, token.LEQ: token.LSS, token.LSS: token.LEQ},
	"CONDITIONALS_NEGATION": {token.EQL: token.NEQ, token.NEQ: token.EQL, token.GEQ: token.LSS, token.LSS: token.GEQ, token.GTR: token.LEQ, token.LEQ: token.GTR},
	"INCREMENT_DECREMENT":   {token.INC: token.DEC, token.DEC: token.INC},
	"INVERT_ASSIGNMENTS":    {token.ADD_ASSIGN: token.SUB_ASSIGN, token.SUB_ASSIGN: token.ADD_ASSIGN, token.MUL_ASSIGN: token.QUO_ASSIGN, token.QUO_ASSIGN: token.MUL_ASSIGN},
	"INVERT_BITWISE":        {token.AND: token.OR, token.OR: token.AND, token.XOR: token.AND, token.AND_NOT: token.AND, token.SHL: token.SHR, token.SHR: token.SHL},
	"INVERT_BWASSIGN":       {token.AND_ASSIGN: token.OR_ASSIGN, token.OR_ASSIGN: token.AND_ASSIGN, token.AND_NOT_ASSIGN: token.AND_ASSIGN, token.SHL_ASSIGN: token.SHR_ASSIGN, token.SHR_ASSIGN: token.SHL_ASSIGN},
	"INVERT_LOGICAL":        {token.LAND: token.LOR, token.LOR: token.LAND},
	"INVERT_LOOPCTRL":       {token.BREAK: token.CONTINUE, token.CONTINUE: token.BREAK},
	"INVERT_NEGATIVES":      {token.SUB: token.ADD},
	"REMOVE_SELF_ASSIGNMENTS": {token.ADD_ASSIGN: token.ASSIGN, token.SUB_ASSIGN: token.ASSIGN, token.MUL_ASSIGN: token.ASSIGN, token.QUO_ASSIGN: token.ASSIGN,
		token.AND_ASSIGN: token.ASSIGN, token.OR_ASSIGN: token.ASSIGN, token.AND_NOT_ASSIGN: token.ASSIGN, token.SHL_ASSIGN: token.ASSIGN, token.SHR_ASSIGN: token.ASSIGN},
}

// place is where gremlins makes a mutant.
type place struct {
	Type         string `json:"type"`
	Line, Column int
}

// operators returns all mutants of the files that are tested: those of gremlins, by the list that
// it has written, and those that it does not make, which are statements left out, and other numbers
// and truths.
func operators(t *testing.T, list string) (sources map[string]string, all []*mutant) {
	t.Helper()
	var report struct {
		Files []struct {
			Name   string  `json:"file_name"`
			Places []place `json:"mutations"`
		}
	}
	data, err := os.ReadFile(list)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &report))
	sources = map[string]string{}
	for _, f := range report.Files {
		if suites[filepath.ToSlash(filepath.Dir(f.Name))] == nil || slices.Contains([]string{"count.go", "explore.go"}, filepath.Base(f.Name)) { // of other builds
			continue
		}
		source, err := os.ReadFile(filepath.Join(root(t), f.Name))
		require.NoError(t, err)
		sources[f.Name] = string(source)
		all = append(all, mutantsOf(t, f.Name, source, f.Places)...)
	}
	slices.SortFunc(all, func(a, b *mutant) int {
		return strings.Compare(fmt.Sprintf("%s %9d %9d %s", a.file, a.start, a.end, a.text), fmt.Sprintf("%s %9d %9d %s", b.file, b.start, b.end, b.text))
	})
	all = slices.CompactFunc(all, func(a, b *mutant) bool { // of a minus, gremlins makes a plus twice
		return a.file == b.file && a.start == b.start && a.end == b.end && a.text == b.text
	})
	for i, m := range all {
		m.id = i + 1
	}
	return sources, all
}

func mutantsOf(t *testing.T, file string, source []byte, places []place) (all []*mutant) {
	t.Helper()
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, source, parser.SkipObjectResolution)
	require.NoError(t, err)
	handle := set.File(parsed.Pos())
	add := func(start, end int, text string) {
		m := &mutant{file: file, start: start, end: end, text: text, line: handle.Line(handle.Pos(start))}
		for _, d := range parsed.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil && handle.Offset(fn.Body.Pos()) < start && end < handle.Offset(fn.Body.End()) {
				m.fn, m.name = fn, fn.Name.Name
			}
		}
		from := strings.LastIndexByte(string(source[:start]), '\n') + 1
		to := end + strings.IndexByte(string(source[end:]), '\n')
		m.from = strings.Join(strings.Fields(string(source[from:to])), " ")
		m.mutated = strings.Join(strings.Fields(string(source[from:start])+text+string(source[end:to])), " ")
		all = append(all, m)
	}
	for _, p := range places {
		start := handle.Offset(handle.LineStart(p.Line)) + p.Column - 1
		var s scanner.Scanner
		rest := source[start:]
		s.Init(token.NewFileSet().AddFile("", -1, len(rest)), rest, func(token.Position, string) {}, 0)
		_, tok, _ := s.Scan()
		if to, ok := replacements[p.Type][tok]; ok {
			add(start, start+len(tok.String()), to.String())
		}
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if n == nil {
			return true
		}
		start, end := handle.Offset(n.Pos()), handle.Offset(n.End())
		switch n := n.(type) {
		case *ast.ArrayType:
			return false // how long an array is, is a matter of memory
		case *ast.BasicLit:
			if v, err := strconv.ParseUint(n.Value, 0, 64); n.Kind == token.INT && err == nil {
				add(start, end, strconv.FormatUint(v+1, 10))
			}
		case *ast.Ident:
			if other, ok := map[string]string{"true": "false", "false": "true"}[n.Name]; ok {
				add(start, end, other)
			}
		case *ast.ExprStmt, *ast.IncDecStmt, *ast.DeferStmt:
			add(start, end, "")
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE && !strings.HasPrefix(string(source[start:]), "_") {
				add(start, end, "_"+strings.Repeat(", _", len(n.Rhs)-1)+" = "+string(source[handle.Offset(n.Rhs[0].Pos()):end]))
			}
		}
		return true
	})
	return all
}
