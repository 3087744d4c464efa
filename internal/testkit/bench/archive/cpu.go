package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// busy is the processor time a tree of processes has used so far. The kernel
// counts it in nanoseconds for each thread, and in hundredths of a second for
// children that have ended: some servers make a process for each client.
func busy(roots ...int) (total time.Duration) {
	for _, pid := range tree(roots) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:])); err == nil && len(f) > 14 {
			for _, ticks := range f[13:15] { // cutime, cstime
				n, _ := strconv.ParseInt(ticks, 10, 64)
				total += time.Duration(n) * 10 * time.Millisecond
			}
		}
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		for _, t := range tasks {
			text, err := os.ReadFile(t)
			if f := strings.Fields(string(text)); err == nil && len(f) > 0 {
				ns, _ := strconv.ParseInt(f[0], 10, 64)
				total += time.Duration(ns)
			}
		}
	}
	return total
}

// resident is the memory a tree of processes holds, what several share counted
// once.
func resident(roots ...int) (octets int64) {
	for _, pid := range tree(roots) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if v, ok := strings.CutPrefix(line, "Pss:"); ok {
				kb, _ := strconv.ParseInt(strings.Fields(v)[0], 10, 64)
				octets += kb << 10
			}
		}
	}
	return octets
}

// tree gives roots and all that descend from them.
func tree(roots []int) []int {
	kids := map[int][]int{}
	all, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range all {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		after := string(text[strings.LastIndexByte(string(text), ')')+1:])
		f := strings.Fields(after)
		if len(f) < 2 {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		parent, _ := strconv.Atoi(f[1])
		kids[parent] = append(kids[parent], pid)
	}
	out := append([]int{}, roots...)
	for i := 0; i < len(out); i++ {
		out = append(out, kids[out[i]]...)
	}
	return out
}

// cpu prints the milliseconds of processor time and the megabytes of memory of
// process trees.
func cpu(fs *flag.FlagSet, args []string) error {
	_ = fs.Parse(args)
	var roots []int
	for _, a := range fs.Args() {
		pid, err := strconv.Atoi(a)
		if err != nil {
			return err
		}
		roots = append(roots, pid)
	}
	fmt.Println(busy(roots...).Milliseconds(), resident(roots...)>>20)
	return nil
}
