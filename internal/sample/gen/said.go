package gen

import "fmt"

// said gives the line a client puts above what it quotes, in its language and
// in the time of the person who answers.
func said(m, parent *Message) string {
	who, addr := parent.Author.Name, parent.Author.Address
	t := m.Author.zone.show(parent.Date)
	switch m.Author.lang {
	case "es":
		return "El " + t.Format("2/1/2006 a las 15:04") + ", " + who + " escribió:"
	case "fr":
		return "Le " + t.Format("02/01/2006 à 15:04") + ", " + who + " a écrit :"
	case "de":
		return "Am " + t.Format("02.01.2006 um 15:04") + " schrieb " + who + ":"
	case "pl":
		return "W dniu " + t.Format("02.01.2006 o 15:04") + ", " + who + " pisze:"
	case "el":
		return "Στις " + t.Format("2/1/2006 15:04") + ", " + who + " έγραψε:"
	case "ru":
		return t.Format("02.01.2006 15:04") + ", " + who + " пишет:"
	case "ja":
		return t.Format("2006/01/02 15:04") + "、" + who + " さんのメール:"
	case "ar":
		return "في " + t.Format("2006/01/02 15:04") + "، كتب " + who + ":"
	}
	switch m.client.name {
	case "web":
		return fmt.Sprintf("On %s %s <%s> wrote:", t.Format("Mon, Jan 2, 2006 at 3:04 PM"), who, addr)
	case "console":
		return fmt.Sprintf("* %s <%s> [%s]:", who, addr, t.Format("2006-01-02 15:04 -0700"))
	case "pocket":
		return fmt.Sprintf("On %s, %s <%s> wrote:", t.Format("2 Jan 2006, at 15:04"), who, addr)
	case "old":
		return who + " wrote:"
	}
	return fmt.Sprintf("On %s, %s wrote:", t.Format("02/01/2006 15:04"), who)
}

// original gives the header block that office clients put above the message
// they answer.
func original(m, parent *Message, list List) []string {
	from, sent, to, subject, form := "From", "Sent", "To", "Subject", "Monday, 2 January 2006 15:04"
	switch m.Author.lang {
	case "es":
		from, sent, to, subject, form = "De", "Enviado el", "Para", "Asunto", "02/01/2006 15:04"
	case "fr":
		from, sent, to, subject, form = "De ", "Envoyé ", "À ", "Objet ", "02/01/2006 15:04"
	case "de":
		from, sent, to, subject, form = "Von", "Gesendet", "An", "Betreff", "02.01.2006 15:04"
	case "pl":
		from, sent, to, subject, form = "Od", "Wysłano", "Do", "Temat", "02.01.2006 15:04"
	case "ru":
		from, sent, to, subject, form = "От", "Отправлено", "Кому", "Тема", "02.01.2006 15:04"
	}
	title := "-----Original Message-----"
	if m.Author.lang == "de" {
		title = "-----Ursprüngliche Nachricht-----"
	} else if m.Author.lang != "en" {
		title = "________________________________"
	}
	return []string{
		title,
		from + ": " + parent.Author.Name + " <" + parent.Author.Address + ">",
		sent + ": " + m.Author.zone.show(parent.Date).Format(form),
		to + ": " + list.Address,
		subject + ": " + parent.Subject,
		"",
	}
}
