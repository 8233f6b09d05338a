package logs_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/simulate/logs"
)

// A number is of seconds up to 11 digits before the point, of ms up to 14, of µs up to 17, else of
// ns. What is finer than 1 ns is cut off.
func TestEpochs(t *testing.T) {
	for text, want := range map[string]time.Time{
		"0":                    time.Unix(0, 0),
		"1":                    time.Unix(1, 0),
		"99999999999":          time.Unix(99999999999, 0),
		"99999999999.9":        time.Unix(99999999999, 900_000_000),
		"100000000000":         time.Unix(100000000, 0),
		"100000000001.25":      time.Unix(100000000, 1_250_000),
		"99999999999999":       time.Unix(99999999999, 999_000_000),
		"100000000000000":      time.Unix(100000000, 0),
		"100000000000001.1239": time.Unix(100000000, 1_123),
		"99999999999999999":    time.Unix(99999999999, 999_999_000),
		"100000000000000000":   time.Unix(100000000, 0),
		"100000000000000001.9": time.Unix(100000000, 1),
		"9223372036854775807":  time.Unix(9223372036, 854_775_807),
		"1.0000000019":         time.Unix(1, 1),
		"1.":                   time.Unix(1, 0),
		"0e0":                  time.Unix(0, 0),
		"9.9e10":               time.Unix(99000000000, 0),
		"1.5E1":                time.Unix(15, 0),
		"[1]":                  time.Unix(1, 0),
		"1.0000004e0":          time.Unix(1, 0),
		"1.00000049e0":         time.Unix(1, 0),
		"1.0000006e0":          time.Unix(1, 1000),

		"02/Mar/2026:08:00:01 +0100": time.Date(2026, 3, 2, 7, 0, 1, 0, time.UTC),
	} {
		got, err := logs.ParseTime(text)
		require.NoError(t, err, text)
		require.Equal(t, want.UTC(), got, text)
	}
	for _, text := range []string{"9223372036854775808", ".", ".5", "1.2.3", "1..2", "-1", "-1e5", "1e18", "1e", "e", "NaNe", "+1"} {
		_, err := logs.ParseTime(text)
		require.ErrorContains(t, err, "logs.ParseTime", text)
	}
}

// A time of the Common Log Format has seconds from 00 to 59, in any zone, whatever times came
// before.
func TestStamps(t *testing.T) {
	log := ""
	var want []int64
	at := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	for _, second := range []int{0, 9, 10, 19, 59} {
		for _, zone := range []int{0, 3600, -3600} {
			for _, minute := range []int{0, 1} {
				one := at.Add(time.Duration(60*minute+second) * time.Second)
				want = append(want, one.Unix())
				log += strings.Replace(line, "02/Mar/2026:08:00:01 +0000", one.In(time.FixedZone("", zone)).Format("02/Jan/2006:15:04:05 -0700"), 1)
			}
		}
	}
	records, faults := read(t, log, logs.Auto)
	require.Empty(t, faults.Summary())
	require.Len(t, records, len(want))
	for i, r := range records {
		require.Equal(t, want[i], r.At.Unix())
	}
	records, _ = read(t, line+strings.Replace(line, "+0000", "+0100", 1)+line, logs.Auto) // one minute of two zones
	require.Equal(t, []time.Duration{-time.Hour, 0}, []time.Duration{records[1].At.Sub(records[0].At), records[2].At.Sub(records[0].At)})
	for _, seconds := range []string{"60", "70", "0:", "0/", "/0", ":0", "99", " 1", "1 "} {
		_, faults := read(t, line+strings.Replace(line, "00:01 ", "00:"+seconds+" ", 1), logs.Auto)
		require.Equal(t, 1, faults.Lost, seconds)
		require.Contains(t, faults.Summary()[0], "the time cannot be read", seconds)
	}
}

// Times are taken from 1971 to the end of 2200, and without one there is no request.
func TestYears(t *testing.T) {
	for text, good := range map[string]bool{
		"1970-12-31T23:59:59.999999999Z": false, "1971-01-01T00:00:00Z": true,
		"2200-12-31T23:59:59.999999999Z": true, "2201-01-01T00:00:00Z": false, "-": false, "": false, "soon": false,
	} {
		records, faults := read(t, "time,user\n"+text+",bob", logs.Auto)
		require.Equal(t, good, len(records) == 1, text)
		require.Equal(t, good, faults.Lost == 0, text)
		summary := strings.Join(faults.Summary(), "")
		require.Equal(t, text == "" || text == "-", strings.Contains(summary, "there is no time"), text)
		require.Equal(t, text == "soon", strings.Contains(summary, "cannot be read"), text)
	}
}

// Addresses of a proxy are several, each of them an address. What begins with a comma is none.
func TestHostsOfColumns(t *testing.T) {
	for text, want := range map[string]string{"192.0.2.1": "192.0.2.1", "192.0.2.1, 10.0.0.1": "192.0.2.1", ",192.0.2.1": "", "192.0.2.1,": "", ",": "", "web": "web"} {
		records, faults := read(t, "time,user,host\n2026-03-02T08:00:00Z,bob,\""+text+"\"", logs.Auto)
		require.Len(t, records, 1, text)
		require.Equal(t, want, records[0].Host, text)
		require.Equal(t, want == "", faults.Lines == 1, text)
	}
}

// A zone that is only named is UTC or an error: others mean nothing, or what this machine says.
func TestNamesOfZones(t *testing.T) {
	for _, zone := range []string{"GMT", "UTC"} {
		at, err := logs.ParseTime("Fri, 02 Jan 2026 15:04:05 " + zone)
		require.NoError(t, err)
		require.Equal(t, time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC), at)
	}
	for _, zone := range []string{"PST", "CEST", "XYZ"} {
		_, err := logs.ParseTime("Fri, 02 Jan 2026 15:04:05 " + zone)
		require.Error(t, err, zone)
		at, err := logs.ParseTime("2026-01-02 15:04:05 -0800 " + zone)
		require.NoError(t, err)
		require.Equal(t, time.Date(2026, 1, 2, 23, 4, 5, 0, time.UTC), at)
	}
}
