package archive

import (
	"math"

	"plenary/internal/model"
)

// What a word counts for where it stands. A word in several places counts for
// all of them. The weights are ours and not those of a database, so that both
// databases put posts in the same order.
var rankWeights = []struct {
	columns model.SearchColumns
	weight  float64
}{
	{model.InSubject, 6}, {model.InFiles, 3}, {model.InAuthor, 3}, {model.InBody, 2}, {model.InRecipients, 1}, {model.InQuoted, 0.5},
}

const (
	maxRanked  = 20  // words that count
	rankGrain  = 256 // steps of a score: smaller differences are left to the date
	halfRecent = 0.5 // what being the newest post of all adds
)

// rank scores the posts of set: for each word sought, the more the rarer it is
// and the better the place it stands at; and a little for being new.
func (s *searcher) rank(set bitset, sought []phrase) ([]int64, error) {
	scores := make([]float64, len(s.rows))
	var words []model.MatchStep
	for _, p := range sought {
		for i, w := range p.words {
			words = append(words, model.MatchStep{Words: []string{w}, Prefix: p.prefix && i == len(p.words)-1})
		}
	}
	for _, step := range words[:min(len(words), maxRanked)] {
		any := newBitset(len(s.rows))
		hits := make([]bitset, len(rankWeights))
		for i, place := range rankWeights {
			var err error
			step.Columns = place.columns
			if hits[i], err = s.ask([]model.MatchStep{step}, set); err != nil {
				return nil, err
			}
			any.or(hits[i])
		}
		rare := math.Log(1 + float64(len(s.rows))/float64(1+any.count()))
		for i, place := range rankWeights {
			hits[i].and(set)
			for at := range hits[i].all {
				scores[at] += rare * place.weight
			}
		}
	}
	out := make([]int64, len(s.rows))
	for i := range set.all {
		out[i] = int64(rankGrain * (scores[i] + halfRecent*float64(i)/float64(len(s.rows))))
	}
	return out, nil
}
