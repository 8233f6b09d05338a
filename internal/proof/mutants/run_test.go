package mutants

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	list    = flag.String("mutants.list", "", "what gremlins has listed; without it, operators are not mutated")
	results = flag.String("mutants.results", "", "file for what became of each mutant, in lines of JSON")
	only    = flag.String("mutants.only", "", "only mutants of files that this matches")
	again   = flag.String("mutants.again", "", "results of an earlier run: only mutants that survived it")
	workers = flag.Int("mutants.workers", 2, "how many mutants are tested at once")
)

// suite is a run of a package's tests.
type suite struct {
	tags, pkg string
	args      string
	limit     time.Duration // what takes longer hangs; at least six times what it takes
}

// slow suites are tried last, and not for mutants that are explained.
func (s suite) slow() bool { return s.limit > 10*time.Second }

func dirOf(file string) string { return path.Dir(filepath.ToSlash(file)) }

// Fast ones come first: most mutants do not survive a few operations.
var (
	rootFast   = suite{pkg: ".", args: "-compare.operations 20000", limit: 3 * time.Second}
	rootAll    = suite{pkg: ".", args: "-compare.operations 60000", limit: 60 * time.Second}
	gcraFast   = suite{pkg: "gcra", args: "-compare.operations 30000 -test.skip ^(TestBound|TestRefundIsAtMostAsIfNeverGranted)$", limit: 3 * time.Second}
	gcraAll    = suite{pkg: "gcra", args: "-compare.operations 60000", limit: 60 * time.Second}
	tokenFast  = suite{pkg: "tokenbucket", args: "-compare.operations 30000 -test.skip ^(TestBound)$", limit: 3 * time.Second}
	tokenAll   = suite{pkg: "tokenbucket", args: "-compare.operations 60000", limit: 60 * time.Second}
	fixedFast  = suite{pkg: "fixedwindow", args: "-compare.operations 30000 -test.skip ^(TestBound)$", limit: 3 * time.Second}
	fixedAll   = suite{pkg: "fixedwindow", args: "-compare.operations 60000", limit: 60 * time.Second}
	slideFast  = suite{pkg: "slidingwindow", args: "-compare.operations 30000 -test.skip ^(TestCounterBound|TestLogOutgrowsItsFrame|TestCounterOutgrowsItsFrame)$", limit: 3 * time.Second}
	slideAll   = suite{pkg: "slidingwindow", args: "-compare.operations 60000", limit: 60 * time.Second}
	burstAll   = suite{pkg: "burst", limit: 3 * time.Second}
	keyedFast  = suite{pkg: "keyed", args: "-test.skip ^(TestBoundUnderKeyRotation|TestMapIsOneLimiterForEachKey)$", limit: 3 * time.Second}
	keyedAll   = suite{pkg: "keyed", limit: 120 * time.Second}
	tableFast  = suite{pkg: "internal/table", args: "-table.operations 30000 -test.skip ^(TestWindowTicks|TestTicks)$", limit: 3 * time.Second}
	tableAll   = suite{pkg: "internal/table", args: "-table.operations 60000", limit: 120 * time.Second}
	tableSteps = suite{tags: "explore", pkg: "internal/table", args: "-test.short -test.run TestAllSchedules", limit: 100 * time.Second}
	coarse     = suite{pkg: ".", args: "-test.run Coarse", limit: 3 * time.Second}
	playFast   = suite{pkg: "simulate", args: "-test.skip ^(" + playSlow + ")$", limit: 3 * time.Second}
	playAll    = suite{pkg: "simulate", args: "-test.run ^(" + playSlow + ")$", limit: 20 * time.Second} // the others
	sameAll    = suite{pkg: "internal/identity", limit: 3 * time.Second}
	waitingAll = suite{pkg: "internal/waiting", limit: 3 * time.Second}
	bucketSize = suite{pkg: "internal/bucket", limit: 3 * time.Second}
	windowSize = suite{pkg: "internal/window", limit: 3 * time.Second}
	penaltyAll = suite{pkg: "penalty", limit: 10 * time.Second}
	strikesAll = suite{pkg: "internal/strikes", limit: 20 * time.Second}
	policyFast = suite{pkg: "policy", args: "-test.skip ^(" + policySlow + "|TestModel|TestRandomPolicies)$", limit: 10 * time.Second}
	policySome = suite{pkg: "policy", args: "-test.run ^(" + policySlow + ")$", limit: 10 * time.Second}
	policyAll  = suite{pkg: "policy", args: "-policy.operations 20000 -test.run ^(TestModel|TestRandomPolicies)$", limit: 60 * time.Second} // the others
	storyAll   = suite{pkg: "policy/catalog", limit: 10 * time.Second}
	httpFast   = suite{pkg: "httplimit", args: "-test.skip ^(TestTravelTimes|" + httpSlow + ")$", limit: 10 * time.Second}
	httpAll    = suite{pkg: "httplimit", args: "-test.run ^(" + httpSlow + ")$", limit: 60 * time.Second} // the others, but one that takes as long as all
	logsAll    = suite{pkg: "simulate/logs", limit: 10 * time.Second}
	linesAll   = suite{pkg: "internal/logline", limit: 3 * time.Second}
	toolFast   = suite{pkg: "cmd/ratesim", args: "-test.skip ^(" + toolSlow + "|TestPageInBrowser)$", limit: 3 * time.Second}
	chartAll   = suite{pkg: "cmd/ratesim/internal/chart", limit: 10 * time.Second}
	drawAll    = suite{pkg: "cmd/ratesim/internal/draw", limit: 3 * time.Second}
	toolAll    = suite{pkg: "cmd/ratesim", args: "-test.run ^(" + toolSlow + ")$", limit: 60 * time.Second} // the others, but one that needs a browser
	redisFast  = suite{pkg: "redislimit", args: "-test.skip ^(" + redisSlow + ")$", limit: 20 * time.Second}
	redisAll   = suite{pkg: "redislimit", args: "-test.run ^(" + redisSlow + ")$", limit: 60 * time.Second} // the others
)

const playSlow = "TestConstant|TestOnOff|TestPoisson|TestCrowded|TestReorder|TestBusyIsBounded|TestFlashCrowd|TestRunIsDeterministic"

const policySlow = "TestP14NothingIsAllocated|TestStoreDecidesAsTheEngine|TestExplainedBounds|TestALargePolicyIsCompiled|TestStatsOfFullTables|TestP13ReplaceUnderLoad"

const httpSlow = "TestJobs|TestTheRateRecovers|TestPartitionsAreBounded|TestTheStory|TestCurl|TestHeadersThatSayEnough|TestFifty.*"

const toolSlow = "TestStory|TestDeterminism|TestPictures|TestHowMuchIsPutInOrder|TestAllThatIsWritten|TestWhatCannotBeWritten"

const redisSlow = "TestFailover|TestCluster|TestKill|TestNodesKeepTheBound|TestForPolicyWithoutAnswer|TestRateChangesWhileRunning|TestServerThatDoesNotAnswer"

func explore(tests string) suite {
	return suite{tags: "explore", pkg: "internal/proof/explore", args: "-test.run " + tests, limit: 100 * time.Second}
}

// policyBy and httpBy begin with the tests that are most likely to find a mutant of a file.
func policyBy(tests string) []suite {
	return []suite{{pkg: "policy", args: "-test.run " + tests, limit: 3 * time.Second}, policyFast, storyAll, policySome, policyAll}
}

func httpBy(tests string) []suite {
	return []suite{{pkg: "httplimit", args: "-test.run " + tests, limit: 3 * time.Second}, httpFast, httpAll}
}

// suites says what the mutants of a package are tested by, or of files that begin like that: many
// are found by the tests of those who import it.
var suites = map[string][]suite{
	".":                          {rootFast, burstAll, rootAll},
	"./all":                      {rootFast, burstAll, rootAll, explore("TestCompositions")},
	"./coarse":                   {coarse, rootFast, fixedFast},
	"internal/identity":          {sameAll, rootFast, keyedFast},
	"internal/waiting":           {waitingAll, rootFast},
	"internal/logline":           {linesAll, logsAll, playFast},
	"internal/timeline":          {coarse, gcraFast, fixedFast, tokenFast, slideFast, tableFast, keyedFast, rootFast, gcraAll, fixedAll},
	"internal/atomics":           {slideFast, gcraFast, tokenFast, slideAll},
	"internal/frame":             {gcraFast, slideFast, fixedFast, tokenFast, explore("TestAllSchedules/(bucket|log)|TestNobody")},
	"internal/reservation":       {tokenFast, gcraFast, explore("TestCancelOnce")},
	"internal/bucket":            {bucketSize, gcraFast, tokenFast, coarse, rootFast, gcraAll, tokenAll, explore("TestAllSchedules/bucket|TestRefusal|TestNobody")},
	"internal/window":            {windowSize, fixedFast, tokenFast, coarse, rootFast, fixedAll, tokenAll, explore("TestAllSchedules/.*window|TestRefusal|TestNobody")},
	"gcra":                       {gcraFast, gcraAll, rootFast},
	"tokenbucket":                {tokenFast, tokenAll, rootFast},
	"fixedwindow":                {fixedFast, fixedAll, rootFast},
	"slidingwindow":              {slideFast, burstAll, coarse, slideAll},
	"slidingwindow/counter":      {slideFast, burstAll, coarse, slideAll, explore("TestAllSchedules/counter|TestRefusal|TestNobody")},
	"slidingwindow/log":          {slideFast, burstAll, coarse, slideAll, explore("TestAllSchedules/log|TestRefusal|TestNobody")},
	"burst":                      {burstAll, rootFast},
	"internal/table":             {tableFast, keyedFast, tableAll, keyedAll, tableSteps},
	"keyed":                      {keyedFast, keyedAll},
	"keyed/map":                  {keyedFast, rootFast, policyFast, keyedAll, policySome},
	"simulate":                   {playFast, playAll},
	"simulate/logs":              {logsAll, playFast, toolFast},
	"cmd/ratesim":                {toolFast, toolAll},
	"cmd/ratesim/internal/chart": {chartAll, toolAll},
	"cmd/ratesim/internal/draw":  {drawAll, chartAll, toolAll},
	"redislimit":                 {redisFast, redisAll},
	"redislimit/goredis":         {redisFast, redisAll},
	"redislimit/rueidis":         {redisFast, redisAll},
	"penalty":                    {penaltyAll, rootFast},
	"internal/strikes":           {strikesAll, policyFast, policySome, policyAll},
	"policy":                     policyBy("^$"),
	"policy/pattern":             policyBy("Pattern|RulesMatch"),
	"policy/condition":           policyBy("Condition|CanHold|Override"),
	"policy/limit":               policyBy("Limit"),
	"policy/validate":            policyBy("Validate|Parse"),
	"policy/decode":              policyBy("Parse|Malformed"),
	"httplimit":                  httpBy("^$"),
	"httplimit/clientip":         httpBy("ClientIP|Trusted"),
	"httplimit/dialect":          httpBy("Trakt|WillItTrack|AniList|PrayerLetters|GitHub|Dialect"),
	"httplimit/fields":           httpBy("Fields"),
	"httplimit/ietf":             httpBy("IETF"),
	"httplimit/middleware":       httpBy("Middleware|Charged|Missing|Cost|Jitter|Engine|Replaced|Context|Amounts|Settle"),
	"httplimit/perkey":           httpBy("PerKey"),
	"httplimit/read":             httpBy("Read|Refused"),
	"httplimit/writer":           httpBy("OwnForms|Wrapped|Flush|Invalid|HintsAndTrailers"),
}

// suitesOf returns what the mutants of a file are tested by.
func suitesOf(file string) []suite {
	name, _, _ := strings.Cut(path.Base(filepath.ToSlash(file)), ".")
	name, _, _ = strings.Cut(name, "_")
	if of := suites[dirOf(file)+"/"+name]; of != nil {
		return of
	}
	return suites[dirOf(file)]
}

// result is what became of a mutant.
type result struct {
	File, Func, From, Mutated string
	Line                      int
	Fate                      string // killed, timed out, survived
	By                        string // which test has found it
	Seconds                   float64
	Accepted                  bool
}

// TestOperators tests all mutants that operators makes, and demands that those which survive are
// explained.
func TestOperators(t *testing.T) {
	if *list == "" {
		t.Skip("make mutants runs it")
	}
	sources, all := operators(t, *list)
	explained := accepted(t)
	for key := range explained {
		if !slices.ContainsFunc(all, func(m *mutant) bool { return m.key() == key }) {
			t.Logf("accepted.txt explains what is no mutant any more:\n%s", key)
		}
	}
	if *only != "" {
		all = slices.DeleteFunc(all, func(m *mutant) bool { return !regexp.MustCompile(*only).MatchString(m.file) })
	}
	if *again != "" {
		survived := survivors(t)
		all = slices.DeleteFunc(all, func(m *mutant) bool { return !survived[m.key()] })
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	made := len(all)
	name, all := compiled(t, dir, sources, all)
	t.Logf("%d of %d mutants compile", len(all), made)
	binaries := buildAll(t, name, all)

	var out *os.File
	if *results != "" {
		out, err = os.Create(*results)
		require.NoError(t, err)
		defer func() { require.NoError(t, out.Close()) }()
	}
	var mutex sync.Mutex
	var rows []result
	work := make(chan *mutant)
	var running sync.WaitGroup
	for w := range *workers {
		running.Go(func() {
			for m := range work {
				begun := time.Now()
				r, ok := try(t, filepath.Join(dir, fmt.Sprint(w)), m, sources[m.file], binaries, explained[m.key()])
				if !ok {
					continue // it does not compile
				}
				r.Seconds = time.Since(begun).Seconds()
				mutex.Lock()
				rows = append(rows, r)
				if out != nil {
					require.NoError(t, json.NewEncoder(out).Encode(r))
				}
				if r.Fate == "survived" && !r.Accepted {
					t.Logf("%d of %d: survived: %v", len(rows), len(all), m)
				}
				mutex.Unlock()
			}
		})
	}
	for _, m := range all {
		work <- m
	}
	close(work)
	running.Wait()
	summarise(t, rows)
}

// survivors reads which mutants survived an earlier run.
func survivors(t *testing.T) map[string]bool {
	t.Helper()
	data, err := os.ReadFile(*again)
	require.NoError(t, err)
	survived := map[string]bool{}
	for line := range bytes.Lines(data) {
		var r result
		require.NoError(t, json.Unmarshal(line, &r))
		if r.Fate == "survived" && !r.Accepted {
			survived[r.key()] = true
		}
	}
	return survived
}

// buildAll builds the tests that the mutants need, and demands that they pass without a mutant.
func buildAll(t *testing.T, name string, all []*mutant) map[string]string {
	t.Helper()
	binaries := map[string]string{}
	for _, m := range all {
		for _, s := range suitesOf(m.file) {
			if binaries[s.tags+s.pkg] == "" {
				binary, err := build(t, name, s.tags, s.pkg)
				require.NoError(t, err)
				binaries[s.tags+s.pkg] = binary
			}
		}
	}
	pass(t, binaries, all)
	return binaries
}

// takes is how long a suite takes without a mutant, on this machine and today.
var takes = map[suite]time.Duration{}

// pass demands that all suites pass without a mutant, and sets takes.
func pass(t *testing.T, binaries map[string]string, all []*mutant) {
	t.Helper()
	needed := map[suite]bool{}
	for _, m := range all {
		for _, s := range suitesOf(m.file) {
			needed[s] = true
		}
	}
	clear(takes)
	for s := range needed {
		takes[s] = time.Minute // at most, on whatever machine
	}
	var mutex sync.Mutex
	took, failures := map[suite]time.Duration{}, []string{}
	work := make(chan suite)
	var running sync.WaitGroup
	for range *workers {
		running.Go(func() {
			for s := range work {
				begun := time.Now()
				out, err := s.run(t, binaries[s.tags+s.pkg], 0)
				mutex.Lock()
				if took[s] = time.Since(begun); err != nil {
					failures = append(failures, fmt.Sprintf("%v fails without a mutant: %v\n%s", s, err, out))
				}
				mutex.Unlock()
			}
		})
	}
	for s := range needed {
		work <- s
	}
	close(work)
	running.Wait()
	require.Empty(t, failures)
	takes = took
}

// run runs the suite with a mutant; an address space without end would take the machine down with
// it.
func (s suite) run(t *testing.T, binary string, id int) (out []byte, err error) {
	t.Helper()
	limit := max(s.limit, 6*takes[s])
	ctx, cancel := context.WithTimeout(context.Background(), limit+5*time.Second)
	defer cancel()
	args := slices.Concat([]string{"-c", `ulimit -v 6000000 2>/dev/null; exec "$@"`, "sh", binary, "-test.failfast", "-test.timeout", limit.String()}, strings.Fields(s.args))
	cmd := exec.CommandContext(ctx, "sh", args...)
	cmd.Dir = filepath.Join(root(t), s.pkg)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", variable, id))
	var all bytes.Buffer
	cmd.Stdout, cmd.Stderr = &all, &all
	err = cmd.Run()
	if ctx.Err() != nil {
		err = errors.Join(err, ctx.Err())
	}
	return all.Bytes(), err
}

var failed = regexp.MustCompile(`--- FAIL: (\S+)`)

// try tests a mutant by one suite after the other, until one finds it. What is explained is not
// tried by the slow ones.
func try(t *testing.T, dir string, m *mutant, source string, binaries map[string]string, explained bool) (r result, ok bool) {
	t.Helper()
	r = result{File: m.file, Line: m.line, Func: m.name, From: m.from, Mutated: m.mutated, Fate: "survived", Accepted: explained}
	name := ""
	if m.fn == nil {
		require.NoError(t, os.MkdirAll(dir, 0o700))
		name = overlay(t, dir, map[string]string{m.file: source[:m.start] + m.text + source[m.end:]})
	}
	for _, s := range suitesOf(m.file) {
		if s.slow() && explained {
			break
		}
		binary, id := binaries[s.tags+s.pkg], m.id
		if m.fn == nil {
			var err error
			if binary, err = build(t, name, s.tags, s.pkg); err != nil {
				return r, false
			}
		}
		out, err := s.run(t, binary, id)
		if err == nil {
			continue
		}
		r.By, r.Fate = s.pkg, "killed"
		if found := failed.FindSubmatch(out); found != nil {
			r.By += " " + string(found[1])
		}
		if errors.Is(err, context.DeadlineExceeded) || bytes.Contains(out, []byte("panic: test timed out")) {
			r.Fate = "timed out"
		}
		break
	}
	return r, true
}

func summarise(t *testing.T, rows []result) {
	t.Helper()
	slices.SortFunc(rows, func(a, b result) int {
		return strings.Compare(fmt.Sprintf("%s %9d %s", a.File, a.Line, a.Mutated), fmt.Sprintf("%s %9d %s", b.File, b.Line, b.Mutated))
	})
	counts := map[string]map[string]int{}
	for _, r := range rows {
		fate := r.Fate
		if fate == "survived" && r.Accepted {
			fate = "explained"
		}
		for _, group := range []string{dirOf(r.File), "~ all"} {
			if counts[group] == nil {
				counts[group] = map[string]int{}
			}
			counts[group][fate]++
			counts[group]["made"]++
		}
	}
	var table strings.Builder
	fmt.Fprintf(&table, "%-22s %8s %8s %9s %9s %9s %8s %8s\n", "", "mutants", "killed", "timed out", "explained", "survived", "of all", "of others")
	for _, group := range slices.Sorted(maps.Keys(counts)) {
		c := counts[group]
		found := 100 * float64(c["killed"]+c["timed out"])
		fmt.Fprintf(&table, "%-22s %8d %8d %9d %9d %9d %7.1f%% %8.1f%%\n", group, c["made"], c["killed"], c["timed out"], c["explained"], c["survived"],
			found/float64(c["made"]), found/float64(max(1, c["made"]-c["explained"])))
	}
	t.Logf("\n%s", table.String())
	all := counts["~ all"]
	found, others := all["killed"]+all["timed out"], all["made"]-all["explained"]
	require.GreaterOrEqual(t, 20*found, 19*others, "less than 95 %% of those that are not explained")
	for _, r := range rows {
		if r.Fate == "survived" && !r.Accepted {
			t.Errorf("survived: %s:%d: %s\n\t- %s\n\t+ %s", r.File, r.Line, r.Func, r.From, r.Mutated)
		}
	}
}

// key is what a mutant is known by, wherever in its function it is.
func (r result) key() string {
	return fmt.Sprintf("%s %s\n- %s\n+ %s", r.File, r.Func, r.From, r.Mutated)
}

func (m *mutant) key() string {
	return result{File: m.file, Func: m.name, From: m.from, Mutated: m.mutated}.key()
}

// accepted reads what accepted.txt explains: a reason, a file and a function, and the line before
// and after, several times if need be.
func accepted(t *testing.T) (explained map[string]bool) {
	t.Helper()
	data, err := os.ReadFile("accepted.txt")
	require.NoError(t, err)
	explained = map[string]bool{}
	for paragraph := range strings.SplitSeq(strings.TrimSpace(string(data)), "\n\n") {
		reason, place, from := "", "", ""
		for line := range strings.SplitSeq(paragraph, "\n") {
			switch {
			case strings.HasPrefix(line, "# "):
				reason += line[2:] + " "
			case strings.HasPrefix(line, "- "):
				from = line[2:]
			case strings.HasPrefix(line, "+ "), line == "+":
				require.NotEmpty(t, reason, line)
				require.NotEmpty(t, place, line)
				key := place + "\n- " + from + "\n" + line
				if line == "+" {
					key += " "
				}
				explained[key] = true
			default:
				place = line
			}
		}
	}
	return explained
}
