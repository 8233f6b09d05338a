package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
)

// part is one of the measurements: benchmarks that run one after the other, and the tables and data
// that are made of them.
type part struct {
	name  string
	bench func() (measured, error)
	write func(m measured, machine string) error
}

const page = docs + "benchmarks.md"

// parts are all of them.
func parts() []part {
	return []part{
		{
			name: "allow",
			bench: func() (measured, error) {
				return bench(".", "./peers", "-bench ^BenchmarkAllow -benchtime 0.2s -count 10")
			},
			write: writeAllow,
		}, {
			name: "stores",
			bench: func() (measured, error) {
				return bench(".", "./peers",
					"-bench ^BenchmarkKeyed$/^traffic=(random|hot|refused)$ -benchtime 0.1s -count 10",
					"-bench ^BenchmarkKeyed$/^traffic=random$/^keys=10000000$ -benchtime 1000000x -count 3 -keys 10000000",
					"-bench ^BenchmarkKeyed$/^traffic=first$ -benchtime 1000000x -count 10", // each key once
					"-bench ^BenchmarkKeyedMemory$ -benchtime 1x -count 5",
				)
			},
			write: func(m measured, machine string) error {
				if err := tables(machine, table{page, "stores", storesTable(m)}); err != nil {
					return err
				}
				return writeKeys(docs+"keys.csv", m)
			},
		}, {
			name: "limiters",
			bench: func() (measured, error) {
				return bench("../..", "./bench/axes", "-bench ^Benchmark(Allow|Take|Compositions|Group|Keyed|Replay|Policy) -benchtime 0.2s -count 10")
			},
			write: func(m measured, machine string) error {
				return tables(machine, table{page, "limiters", limitersTable(m)})
			},
		}, {
			name: "contention",
			bench: func() (measured, error) {
				return bench("../..", "./bench/axes", "-bench ^Benchmark(Contention|AtLimit) -benchtime 0.2s -count 10")
			},
			write: func(m measured, machine string) error {
				return tables(machine, table{page, "contention", contentionTable(m)}, table{page, "at limit", atLimitTable(m)})
			},
		}, {
			name: "races",
			bench: func() (measured, error) {
				return bench("../..", "./bench/axes", fmt.Sprintf(
					"-tags count -bench ByMany/limiter=.*/outcome=granted/callers=cores -cpu 1,%d,8 -benchtime 0.1s -count 10", runtime.NumCPU()))
			},
			write: func(m measured, machine string) error { return tables(machine, table{page, "races", racesTable(m)}) },
		}, {
			name: "http",
			bench: func() (measured, error) { // each count is a run of all, so that a slow time of the machine is not one's alone
				return bench(".", "./peers", slices.Repeat([]string{"-bench ^BenchmarkHTTP$ -benchtime 0.05s -count 1"}, 10)...)
			},
			write: func(m measured, machine string) error { return tables(machine, table{page, "http", httpTable(m)}) },
		},
	}
}

// measure runs the parts of the given names, or all, and writes what they have measured.
func measure(names []string) error {
	machine, err := machine()
	if err != nil {
		return err
	}
	for _, name := range names {
		if !slices.ContainsFunc(parts(), func(p part) bool { return p.name == name }) {
			return fmt.Errorf("there is no measurement %q, want allow, stores, limiters, contention, races or http", name)
		}
	}
	for _, p := range parts() {
		if len(names) > 0 && !slices.Contains(names, p.name) {
			continue
		}
		m, err := p.bench()
		if err != nil {
			return err
		}
		if err = p.write(m, m.cpu+", "+machine+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// writeAllow also provokes the bugs of peers, and writes the README's table.
func writeAllow(m measured, machine string) error {
	versions, err := versionsOf("./peers")
	if err != nil {
		return err
	}
	bugs, err := bugsTable(versions)
	if err != nil {
		return err
	}
	for _, t := range []table{{page, "versions", listed(versions)}, {page, "bugs", bugs}} {
		if err = replace(t.page, t.mark, t.text); err != nil {
			return err
		}
	}
	err = tables(machine, table{page, "peers", peersTable(m)}, table{page, "crowds", crowdsTable(m)}, table{docs + "../README.md", "numbers", numbersTable(m)})
	if err != nil {
		return err
	}
	return writeCosts(docs+"costs.csv", m)
}

// table is a text for a page, and where it goes.
type table struct{ page, mark, text string }

// tables writes tables between their marks, each with the machine that it is of.
func tables(machine string, all ...table) error {
	for _, t := range all {
		if err := replace(t.page, t.mark, t.text+"\n"+machine); err != nil {
			return err
		}
	}
	return nil
}

// bench runs benchmarks of a package, once with each of the flags, and returns what they measured.
func bench(module, pkg string, flags ...string) (measured, error) {
	var all bytes.Buffer
	for _, f := range flags {
		args := append([]string{"test", "-C", module, pkg, "-run", "^$", "-benchmem"}, strings.Fields(f)...)
		printed, err := output("go", args...)
		fmt.Print(printed) // all of it takes long
		if err != nil {
			return measured{}, err
		}
		all.WriteString(printed)
	}
	return readMeasured(&all)
}

// machine says what numbers depend on besides the processor.
func machine() (string, error) {
	system, err := output("uname", "-s", "-m")
	if err != nil {
		return "", err
	}
	commit, err := output("git", "describe", "--always", "--exclude=*", "--dirty= with changes")
	return fmt.Sprintf("%d cores, %s, %s; commit %s.", runtime.NumCPU(), strings.TrimSpace(system), runtime.Version(), strings.TrimSpace(commit)), err
}

// versionsOf returns those of the modules that a package imports, but for what tests it.
func versionsOf(pkg string) (map[string]string, error) {
	const direct = "{{with .Module}}{{if not (or .Main .Indirect .Replace)}}{{.Path}} {{.Version}}{{end}}{{end}}"
	printed, err := output("go", "list", "-deps", "-test", "-f", direct, pkg)
	versions := map[string]string{}
	for line := range strings.Lines(printed) {
		module, version, _ := strings.Cut(strings.TrimSpace(line), " ")
		versions[module] = version
	}
	delete(versions, "github.com/stretchr/testify")
	return versions, err
}

// listed returns a line of modules and their versions.
func listed(versions map[string]string) string {
	var modules []string
	for _, module := range slices.Sorted(maps.Keys(versions)) {
		modules = append(modules, module+" "+versions[module])
	}
	return strings.Join(modules, ", ") + ".\n"
}

// output runs a command, and returns what it prints.
func output(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	printed, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w", cmd, err)
	}
	return string(printed), err
}
