package mutants

import (
	"fmt"
	"go/ast"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// One build for all mutants, as a build for each would take hours: each is a copy of its function,
// and the function calls the copy whose number the environment says. What is not in a function is
// built by itself.

const (
	module   = "github.com/seed-3506548a/ratelimit"
	switches = "internal/proof/mutants/active/active.go"
	variable = "MUTANT"
)

const switchSource = `package active

import (
	"os"
	"strconv"
)

var Mutant, _ = strconv.Atoi(os.Getenv("` + variable + `"))
`

// instrument returns the sources with all mutants of functions in them, and for each file, as
// overlay calls it, which mutant a line is of.
func instrument(sources map[string]string, all []*mutant) (changed map[string]string, lines map[string]map[int]*mutant) {
	changed, lines = map[string]string{switches: switchSource}, map[string]map[int]*mutant{}
	for file, source := range sources {
		byFunc := map[*ast.FuncDecl][]*mutant{}
		var fns []*ast.FuncDecl
		for _, m := range all {
			if m.file == file && m.fn != nil {
				if byFunc[m.fn] == nil {
					fns = append(fns, m.fn)
				}
				byFunc[m.fn] = append(byFunc[m.fn], m)
			}
		}
		if len(fns) == 0 {
			continue
		}
		slices.SortFunc(fns, func(a, b *ast.FuncDecl) int { return int(a.Pos() - b.Pos()) })
		at := packageClause.FindStringIndex(source)[1]
		out := source[:at] + "; import mutant__ \"" + module + "/internal/proof/mutants/active\""
		var copies strings.Builder
		for _, fn := range fns {
			head := signature(source, fn)
			begin, body, end := int(fn.Pos())-1, int(fn.Body.Pos())-1, int(fn.Body.End())-1
			out += source[at:begin] + fmt.Sprintf(head.format, fn.Name.Name) + "{ switch mutant__.Mutant {"
			at = body + 1
			for _, m := range byFunc[fn] {
				name := fmt.Sprintf("%s__%d", fn.Name.Name, m.id)
				out += fmt.Sprintf("case %d: %s; ", m.id, fmt.Sprintf(head.call, name))
				copies.WriteString("\n" + fmt.Sprintf(head.format, name) + source[body:m.start] + m.text + source[m.end:end] + "\n")
			}
			out += "}; "
		}
		out += source[at:]
		own := map[int]*mutant{}
		lines[flat(file)] = own
		line := 1 + strings.Count(out, "\n")
		for _, fn := range fns { // in the order in which the copies were written
			for _, m := range byFunc[fn] {
				body, end := int(fn.Body.Pos())-1, int(fn.Body.End())-1
				copied := signature(source, fn).format + source[body:m.start] + m.text + source[m.end:end]
				length := strings.Count(copied, "\n") + 2
				for i := range length {
					own[line+i] = m
				}
				line += length
			}
		}
		changed[file] = out + copies.String()
	}
	return changed, lines
}

type head struct {
	format string // of the declaration, up to the body
	call   string // of a copy
}

// signature takes a function's declaration apart, and gives every argument a name.
func signature(source string, fn *ast.FuncDecl) head {
	text := func(n ast.Node) string { return source[n.Pos()-1 : n.End()-1] }
	named := func(list *ast.FieldList) (declared, args []string) {
		if list == nil {
			return nil, nil
		}
		for _, f := range list.List {
			names := []string{""}
			if len(f.Names) > 0 {
				names = nil
				for _, n := range f.Names {
					names = append(names, n.Name)
				}
			}
			for _, n := range names {
				if n == "" || n == "_" {
					n = fmt.Sprintf("argument__%d", len(args))
				}
				declared = append(declared, n+" "+text(f.Type))
				if _, ok := f.Type.(*ast.Ellipsis); ok {
					n += "..."
				}
				args = append(args, n)
			}
		}
		return declared, args
	}
	h := head{format: "func ", call: "%s"}
	if fn.Recv != nil {
		declared, args := named(fn.Recv)
		receiver := strings.Replace(declared[0], "argument__0", "receiver__", 1)
		h.format += "(" + receiver + ") "
		h.call = strings.Replace(args[0], "argument__0", "receiver__", 1) + ".%s"
	}
	h.format += "%s"
	if fn.Type.TypeParams != nil {
		declared, args := named(fn.Type.TypeParams)
		h.format += "[" + strings.Join(declared, ", ") + "]"
		h.call += "[" + strings.Join(args, ", ") + "]"
	}
	declared, args := named(fn.Type.Params)
	h.format += "(" + strings.Join(declared, ", ") + ") "
	h.call += "(" + strings.Join(args, ", ") + ")"
	if fn.Type.Results != nil {
		h.format += text(fn.Type.Results) + " "
		h.call = "return " + h.call
	} else {
		h.call += "; return"
	}
	return h
}

var packageClause = regexp.MustCompile(`(?m)^package \w+`)

var complaint = regexp.MustCompile(`(?m)^(?:\./)?(\S+\.go):(\d+):\d+: (.*)$`)

// compiled leaves out the mutants that do not compile, and returns the overlay with the others.
func compiled(t *testing.T, dir string, sources map[string]string, all []*mutant) (string, []*mutant) {
	t.Helper()
	packages := map[string]bool{}
	for _, m := range all {
		packages[dirOf(m.file)] = true
	}
	for {
		changed, lines := instrument(sources, all)
		name := overlay(t, dir, changed)
		var out []byte
		failed := false
		for _, pkg := range slices.Sorted(maps.Keys(packages)) { // each by itself, as some are of nested modules
			cmd := exec.Command("go", "build", "-gcflags=-e", "-overlay", name, "-o", os.DevNull, ".")
			cmd.Dir = filepath.Join(root(t), pkg)
			said, err := cmd.CombinedOutput()
			failed = failed || err != nil
			out = append(out, said...)
		}
		if !failed {
			return name, all
		}
		bad := map[*mutant]bool{}
		for _, c := range complaint.FindAllStringSubmatch(string(out), -1) {
			line, _ := strconv.Atoi(c[2])
			if m := lines[filepath.Base(c[1])][line]; m != nil {
				bad[m] = true
			}
		}
		require.NotEmpty(t, bad, "%s", out)
		all = slices.DeleteFunc(all, func(m *mutant) bool { return bad[m] })
		t.Logf("%d mutants do not compile", len(slices.Collect(maps.Keys(bad))))
	}
}
