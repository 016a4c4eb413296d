/** What is wrong with a template, or with what it asks of a value: a clause without a full stop. Users meet it as bad_template. */
export class TemplateFault extends Error {}
