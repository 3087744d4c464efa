package command

import (
	"slices"
	"strings"
)

// linesOfAbsence is how many lines of an answer are looked at.
const linesOfAbsence = 4

// absences begin the subjects of absence notices whose senders do not say that
// they are machines.
var absences = []string{"automatic reply", "auto reply", "autoreply", "auto-reply", "out of office", "out of the office", "vacation", "away from",
	"abwesenheit", "automatische antwort", "abwesend", "réponse automatique", "reponse automatique", "absence du bureau", "respuesta automática",
	"respuesta automatica", "fuera de la oficina", "risposta automatica", "fuori sede", "automatisch antwoord", "afwezig", "autosvar", "automatiskt svar",
	"resposta automática", "automaattinen vastaus", "自動返信", "自动回复", "autoodpowiedź"}

func absence(subject string) bool {
	subject = strings.ToLower(strings.TrimSpace(subject))
	for _, a := range absences {
		if strings.HasPrefix(subject, a) {
			return true
		}
	}
	return false
}

// away stand in absence notices whose subjects are those of our letters. Each is of
// words that nobody writes who agrees to join; those of one word are whole words.
var away = []string{"out of office", "out of the office", "i am away", "i'm away", "am currently away", "will be away", "on vacation", "on holiday", "on annual leave",
	"on leave", "on parental leave", "on maternity leave", "away from my", "away from the office", "limited access to", "will return on", "will be back on", "back in the office",
	"automatic reply", "auto-reply", "automated reply", "abwesend", "nicht im büro", "nicht im haus", "nicht am platz", "im urlaub", "abwesenheit", "automatische antwort",
	"absent du bureau", "absente du bureau", "je suis absent", "je suis absente", "en congé", "en congés", "en vacances", "réponse automatique", "fuera de la oficina", "de vacaciones",
	"estoy ausente", "estaré ausente", "respuesta automática", "fuori sede", "fuori ufficio", "in ferie", "sono assente", "risposta automatica", "afwezig", "op vakantie",
	"niet op kantoor", "automatisch antwoord", "på semester", "på ferie", "autosvar", "fora do escritório", "de férias", "resposta automática", "lomalla", "na urlopie",
	"poza biurem", "出張中", "休暇中", "外出中", "不在", "休假"}

// isAway tells an answer that reads like an absence notice.
func isAway(text string) bool {
	lines := ownLines(text)
	own := strings.ToLower(strings.Join(lines[:min(len(lines), linesOfAbsence)], " "))
	own = " " + strings.Join(strings.Fields(strings.NewReplacer("’", "'", ",", " , ", ".", " . ", "!", " ! ", ":", " : ", ";", " ; ").Replace(own)), " ") + " "
	return slices.ContainsFunc(away, func(words string) bool {
		if strings.ContainsFunc(words, func(r rune) bool { return r >= 0x3000 }) { // no spaces between words
			return strings.Contains(own, words)
		}
		return strings.Contains(own, " "+words+" ")
	})
}
