package main

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// post hands messages to the server one by one, as they arrive in life; the
// server has synced each before it says 250.
func post(fs *flag.FlagSet, args []string) error {
	addr := fs.String("addr", "", "SMTP")
	from := fs.String("from", "", "author")
	list := fs.String("list", "", "list")
	n := fs.Int("n", 2000, "messages")
	conns := fs.Int("conns", 8, "connections")
	size := fs.Int("size", 5000, "octets")
	pid := fs.Int("pid", 0, "the server")
	_ = fs.Parse(args)
	var next atomic.Int64
	errs := make([]error, *conns)
	var wg sync.WaitGroup
	used, start := busy(*pid), time.Now()
	for i := range *conns {
		wg.Go(func() {
			s, err := dialSMTP(*addr)
			for err == nil && next.Add(1) <= int64(*n) {
				err = s.send(*from, *list, letter(*from, *list, fmt.Sprint("post ", i), *size))
			}
			errs[i] = err
		})
	}
	wg.Wait()
	took := time.Since(start)
	used = busy(*pid) - used
	fmt.Printf("%d posts of %d octets one by one, %d connections: %.0f/s, %.2f ms of processor each\n",
		*n, *size, *conns, float64(*n)/took.Seconds(), used.Seconds()*1000/float64(*n))
	return errors.Join(errs...)
}

// letter makes a message of words that was never sent before.
func letter(from, to, subject string, size int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "From: Bench <%s>\r\nTo: %s\r\nSubject: %s %x\r\nDate: %s\r\nMessage-ID: <%x@bench.example.org>\r\nMIME-Version: 1.0\r\n"+
		"Content-Type: text/plain; charset=utf-8\r\n\r\n", from, to, subject, rand.Uint32(), time.Now().Format(time.RFC1123Z), rand.Uint64())
	for b.Len() < size {
		for range 9 {
			n := rand.IntN(4000)
			n = n * n / 4000 // some words are frequent
			b.WriteString("word" + string(rune('a'+n%26)) + string(rune('a'+n/26%26)) + string(rune('a'+n/676)) + " ")
		}
		b.WriteString("\r\n")
	}
	return []byte(b.String())
}
