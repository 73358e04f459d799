/** Lines on stderr, as text for people or as JSON for collectors. */

export type LogFormat = 'Text' | 'JSON'

const LEVELS = ['debug', 'info', 'warning', 'error'] as const
export type LogLevel = (typeof LEVELS)[number]

type Fields = Record<string, string | number | boolean>

/** One method a level: a sentence and the values that belong to it. */
export type Log = Record<LogLevel, (message: string, fields?: Fields) => void>

export interface LogInit {
  format: LogFormat
  level: LogLevel
  write?: (line: string) => void
}

export function createLog({ format, level, write = (line) => process.stderr.write(line) }: LogInit): Log {
  const render = format === 'JSON' ? json : text
  const at = (own: LogLevel): Log[LogLevel] => {
    if (LEVELS.indexOf(own) < LEVELS.indexOf(level)) {
      return () => {}
    }
    return (message, fields = {}) => write(`${render(own, message, fields)}\n`)
  }
  return { debug: at('debug'), info: at('info'), warning: at('warning'), error: at('error') }
}

function json(level: LogLevel, message: string, fields: Fields): string {
  return JSON.stringify({ time: new Date().toISOString(), level, logger: 'isek.p2p', message, ...fields })
}

function text(level: LogLevel, message: string, fields: Fields): string {
  const pairs = Object.entries(fields).map(([name, value]) => ` ${name}=${JSON.stringify(value)}`)
  return `${new Date().toISOString()} ${level.toUpperCase()} isek.p2p: ${message}${pairs.join('')}`
}
