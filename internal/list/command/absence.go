package command

import (
	"slices"
	"strings"
	"unicode"
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
	"poza biurem", "出張中", "休暇中", "外出中", "休假"}

// agreed stand in answers of people who agree to join, whatever else they tell of their
// days: what a machine says of its owner's absence has none of them.
var agreed = []string{"i confirm", "hereby confirm", "confirmed", "i agree", "i accept", "add me", "sign me up", "subscribe me", "want to join", "like to join", "wish to join",
	"want to subscribe", "like to subscribe", "join the list", "join this list", "ich bestätige", "bestätige ich", "einverstanden", "ich stimme zu", "nehmen sie mich auf",
	"nimm mich auf", "tragen sie mich ein", "trag mich ein", "melden sie mich an", "melde mich an", "möchte beitreten", "je confirme", "j'accepte", "d'accord", "inscrivez-moi", "inscris-moi",
	"ajoutez-moi", "ajoute-moi", "m'inscrire", "confirmo", "acepto", "de acuerdo", "inscríbanme", "inscríbeme", "suscríbanme", "suscríbeme", "añádanme", "añádeme", "quiero unirme",
	"confermo", "accetto", "d'accordo", "iscrivetemi", "iscrivimi", "aggiungetemi", "ik bevestig", "akkoord", "meld mij aan", "schrijf mij in", "voeg mij toe", "jag bekräftar",
	"anmäl mig", "lägg till mig", "jeg bekræfter", "jeg bekrefter", "tilmeld mig", "meld meg på", "aceito", "inscreva-me", "inscrevam-me", "quero participar", "vahvistan",
	"haluan liittyä", "potwierdzam", "zgadzam się", "zapiszcie mnie", "参加します", "登録してください", "同意", "我要加入", "确认加入"}

// doubts beside such words leave open what is meant: "do not add me", or that a machine
// confirms the receipt of the letter.
var doubts = []string{"not", "don't", "won't", "can't", "cannot", "nicht", "keine", "pas", "no", "non", "niet", "geen", "inte", "ikke", "não", "nie", "receipt", "received", "eingang",
	"erhalt", "réception", "recepción", "recibido", "ricezione", "ontvangst", "recebimento", "不同意", "不要", "しません"}

// otherMeanings are words of yes that begin absence notices in another language:
// "Da ich im Urlaub bin", "Tak for din mail", "Si c'est urgent".
var otherMeanings = []string{"da", "tak", "si", "y"}

// agrees tells an answer that says yes: it begins with a word of yes, whatever
// follows, or says early that its author wants to join.
func agrees(text string) bool {
	lines := ownLines(text)
	if len(lines) == 0 {
		return false
	}
	first := strings.ToLower(strings.TrimLeft(lines[0], " \"'*_"))
	end := strings.IndexFunc(first+" ", func(r rune) bool { return !unicode.IsLetter(r) })
	if said := first[:end]; firstWords[said] == yes && (!slices.Contains(otherMeanings, said) || strings.HasPrefix(first[end:], ",")) {
		return true
	}
	return holds(text, agreed) && !holds(text, doubts)
}

// isAway tells an answer that reads like an absence notice.
func isAway(text string) bool { return holds(text, away) }

// holds tells whether the first lines of an answer hold one of some words.
func holds(text string, some []string) bool {
	lines := ownLines(text)
	own := strings.ToLower(strings.Join(lines[:min(len(lines), linesOfAbsence)], " "))
	own = " " + strings.Join(strings.Fields(strings.NewReplacer("’", "'", ",", " , ", ".", " . ", "!", " ! ", ":", " : ", ";", " ; ").Replace(own)), " ") + " "
	return slices.ContainsFunc(some, func(words string) bool {
		if strings.ContainsFunc(words, func(r rune) bool { return r >= 0x3000 }) { // no spaces between words
			return strings.Contains(own, words)
		}
		return strings.Contains(own, " "+words+" ")
	})
}
