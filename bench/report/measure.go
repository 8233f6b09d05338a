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

// results are of one run, all on one machine.
type results struct {
	machine                string
	versions               map[string]string // of the modules that peers are in
	bugs                   string            // a table
	peers, limiters, races measured
}

// measure provokes the bugs of peers and runs all benchmarks.
func measure() (r results, err error) {
	if r.machine, err = machine(); err != nil {
		return r, err
	}
	if r.versions, err = versionsOf("./peers"); err != nil {
		return r, err
	}
	if r.bugs, err = bugsTable(r.versions); err != nil {
		return r, err
	}
	r.peers, err = bench(".", "./peers",
		"-bench ^BenchmarkAllow -benchtime 0.2s -count 10",
		"-bench ^BenchmarkKeyed$/^traffic=(random|hot|refused)$ -benchtime 0.1s -count 10",
		"-bench ^BenchmarkKeyed$/^traffic=random$/^keys=10000000$ -benchtime 1000000x -count 3 -keys 10000000",
		"-bench ^BenchmarkKeyed$/^traffic=first$ -benchtime 1000000x -count 10", // each key once
		"-bench ^BenchmarkKeyedMemory$ -benchtime 1x -count 5",
	)
	if err != nil {
		return r, err
	}
	if r.limiters, err = bench("../..", "./bench/axes", "-bench . -benchtime 0.2s -count 10"); err != nil {
		return r, err
	}
	r.races, err = bench("../..", "./bench/axes", fmt.Sprintf(
		"-tags count -bench ByMany/limiter=.*/outcome=granted/callers=cores -cpu 1,%d,8 -benchtime 0.1s -count 10", runtime.NumCPU()))
	return r, err
}

// write puts the tables into the pages, between their marks, and what charts are drawn from into
// files.
func (r results) write() error {
	head := r.peers.cpu + ", " + r.machine + "\n"
	const page = docs + "benchmarks.md"
	for _, part := range []struct{ page, mark, text string }{
		{page, "head", head + "\n" + listed(r.versions)},
		{page, "peers", peersTable(r.peers)},
		{page, "limiters", limitersTable(r.limiters)},
		{page, "races", racesTable(r.races)},
		{page, "crowds", crowdsTable(r.peers)},
		{page, "contention", contentionTable(r.limiters)},
		{page, "at limit", atLimitTable(r.limiters)},
		{page, "stores", storesTable(r.peers)},
		{page, "bugs", r.bugs},
		{docs + "../README.md", "numbers", numbersTable(r.peers) + "\n" + head},
	} {
		if err := replace(part.page, part.mark, part.text); err != nil {
			return err
		}
	}
	if err := writeCosts(docs+"costs.csv", r.peers); err != nil {
		return err
	}
	return writeKeys(docs+"keys.csv", r.peers)
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
