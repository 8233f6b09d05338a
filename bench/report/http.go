package main

import (
	"fmt"
	"slices"
	"strings"
)

// httpTable has the middlewares, without what the bare handler takes.
func httpTable(m measured) string {
	var b strings.Builder
	b.WriteString("| | granted | of perkey-no-context | B/op, allocs/op | refused | of perkey-no-context | B/op, allocs/op |\n|---|---|---|---|---|---|---|\n")
	bare, _ := m.median("HTTP/outcome=granted/middleware=none", "sec/op")
	over := func(outcome, middleware string) float64 {
		s, _ := m.median("HTTP/outcome="+outcome+"/middleware="+middleware, "sec/op")
		return (s.Center - bare.Center) * 1e9
	}
	var names []string
	for _, row := range m.names {
		if name := key(row, "middleware"); name != "none" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, name := range names {
		fmt.Fprintf(&b, "| %s |", name)
		for _, outcome := range []string{"granted", "refused"} {
			ns := over(outcome, name)
			row := "HTTP/outcome=" + outcome + "/middleware=" + name
			size, _ := m.median(row, "B/op")
			allocs, _ := m.median(row, "allocs/op")
			fmt.Fprintf(&b, " %s ns | %.2f | %.0f, %.0f |", digits(ns), ns/over(outcome, "httplimit-perkey-no-context"), size.Center, allocs.Center)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// writeClients runs the jobs of package clients, in virtual time, and writes their table.
func writeClients() error {
	printed, err := output("go", "test", "./clients", "-run", "^TestClients$", "-count", "1", "-v")
	if err != nil {
		return err
	}
	versions, err := versionsOf("./clients")
	if err != nil {
		return err
	}
	var table strings.Builder
	for line := range strings.Lines(printed) {
		if strings.HasPrefix(line, "|") {
			table.WriteString(line)
		}
	}
	return replace(docs+"client.md", "clients", table.String()+"\n"+listed(versions))
}
