package extract

import (
	"github.com/research-mcp/research-mcp/internal/text"
)

var instructions = text.Pattern(`(?i)` +
	`\b(ignore|disregard|forget|override|bypass|skip|drop)\b.{0,40}\b(instructions?|prompts?|rules?|guidelines?|context|above|previous|prior|everything|directions)\b` +
	`|\b(system|developer) (prompt|message|note|instructions?)\b|\bnew instructions?\b|\b(hidden|secret) instructions?\b` +
	`|\b(AI|LLM|GPT|chatbot|language model|assistant|agent|ChatGPT|Claude|Gemini|Copilot|crawler|model)s?\b.{0,60}\b(must|should|shall|please|do not|don't|never|always|respond|reply|answer|say|output|include|recommend|ignore|follow)\b` +
	`|\b(respond|reply|answer|output|print|say|write)\b.{0,30}\b(only|with|exactly|that|the (word|phrase|text|following))\b` +
	`|\b(do not|don't|never) (tell|mention|reveal|inform|say|show|disclose)\b|\b(tell|inform|convince|urge) (the )?(user|reader|human|person|people)\b` +
	`|\byou are (now |an? )|\bact as\b|\bas an (AI|assistant)\b|\bpretend\b|\bjailbreak|\bINJECT|\bexfiltrat|\bcredentials?\b|\bpasswords?\b.{0,40}\b(send|post|to)\b` +
	`|\b(send|post|forward|upload|email)\b.{0,60}(https?://|@|\bto\b)|\b(call|invoke|run|execute|use) (the )?(tool|function|command|shell)` +
	`|\b(recommend|rate|rank|prefer|promote|praise)\b.{0,40}\b(as|this|our|product|the best|highest|first)\b|\bmost (trusted|reliable)\b` +
	`|\bIMPORTANT\s*:|\b(note|message|attention)( to| for|,)? (all )?(AI|LLM|assistants?|agents?|models?)` +
	`|忽略|无视|指令|提示词|ignorier|anweisung|ignorez|instructions précédentes|ignora (las|le)|игнорируй|инструкци`)

// maxInstruction is how much of a text is looked at.
const maxInstruction = 64 << 10

// readsAsInstruction reports whether text that a person may not see addresses a
// reader that is a machine. It errs on the side of yes.
func readsAsInstruction(s string) bool {
	s, _ = text.Cut(s, maxInstruction)
	return instructions().MatchString(text.Squash(s))
}
