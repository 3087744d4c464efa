// Package pace tells how fast a machine computes at the moment. Virtual machines
// do three times as much in some hours as in others, and a limit that is a number of
// posts a second says little without it.
package pace

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Signature is the processor time of a bare rsa-2048 signature on the machine on
// which the absolute limits of the benchmarks were set.
const Signature = 790 * time.Microsecond

// SourceCPU is what smtp-source took there, CPU s per 1,000 messages of 3 kB.
const SourceCPU = 0.038

// Signatures gives this machine's rate of rsa-2048 signatures, all processors at
// work for d.
func Signatures(d time.Duration) (perSecond float64, err error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return 0, err
	}
	var n atomic.Int64
	var wg sync.WaitGroup
	begin := time.Now()
	for range runtime.NumCPU() {
		wg.Go(func() {
			sum := sha256.Sum256([]byte("a header"))
			for time.Since(begin) < d {
				if _, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:]); err != nil {
					return
				}
				n.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(n.Load()) / time.Since(begin).Seconds(), nil
}

// Of gives, from a rate of Signatures, what one processor does here of what one did
// where the limits were set: 0.5 is half as fast.
func Of(perSecond float64) float64 {
	return perSecond / float64(runtime.NumCPU()) * Signature.Seconds()
}
