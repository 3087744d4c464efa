// Package queue sends what is queued: it leases ranges of subscribers and house
// letters from the store, hands their copies to couriers, and records what
// became of each.
package queue

type job struct{}
