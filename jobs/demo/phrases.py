"""The wording: how questions are put. Each table is (trained forms, held-out forms); no stage of training sees the latter."""

from __future__ import annotations

import random
from typing import NamedTuple


class Forms(NamedTuple):
    trained: tuple[str, ...]
    unseen: tuple[str, ...]

    def pick(self, rng: random.Random, *, test: bool) -> str:
        return rng.choice(self.unseen if test else self.trained)


QUESTIONS: dict[str, Forms] = {
    "home": Forms(
        (
            "Where does {n} live?", "In which town does {n} live?", "What town does {n} live in?",
            "Which town is {n} from?", "What is {n}'s home town?", "Name the town where {n} lives.",
            "Where is {n}'s house?", "{n} lives in which town?", "Where can I find {n}?", "Where is the home of {n}?",
            "Tell me where {n} lives.", "Do you know which town {n} lives in?", "Where is {n} from?",
        ),
        ("Which town does {n} call home?", "What is the home town of {n}?", "In what town is {n}'s house?", "Do you know where {n} lives?", "Tell me which town {n} is from."),
    ),
    "job": Forms(
        (
            "What is {n}'s job?", "What does {n} do for a living?", "What work does {n} do?", "What is the job of {n}?",
            "Which job does {n} have?", "What does {n} work as?", "Tell me the job of {n}.", "How does {n} earn money?",
            "What kind of work does {n} do?", "{n} works as what?", "Name the job of {n}.", "Do you know what {n} works as?",
        ),
        ("What job does {n} do?", "Tell me what {n} does for a living.", "As what does {n} work?", "Do you know {n}'s job?", "What is {n}'s work?"),
    ),
    "dish": Forms(
        (
            "What does {n} like to eat?", "What is {n}'s favourite dish?", "Which dish does {n} like best?",
            "What food does {n} love?", "What does {n} love to eat?", "What is the favourite food of {n}?",
            "Tell me the favourite dish of {n}.", "What should I cook for {n}?", "Which food does {n} like?",
            "Name the dish that {n} likes best.", "Do you know what {n} likes to eat?", "What does {n} eat most gladly?",
        ),
        ("What is {n}'s favourite food?", "Which dish does {n} love?", "Tell me what {n} likes to eat.", "What food does {n} like best?", "Do you know the favourite dish of {n}?"),
    ),
    "pet": Forms(
        (
            "What pet does {n} have?", "Which animal does {n} keep?", "What is {n}'s pet?", "What kind of pet does {n} have?",
            "What animal lives with {n}?", "Which pet does {n} own?", "Tell me what pet {n} has.", "Name the pet of {n}.",
            "{n} has which pet?", "What animal does {n} have?", "Do you know which animal {n} keeps?", "Which animal belongs to {n}?",
        ),
        ("Which pet does {n} have?", "What animal does {n} keep?", "Tell me the pet of {n}.", "What kind of animal does {n} have?", "Do you know what pet {n} has?"),
    ),
    "colour": Forms(
        (
            "What is {n}'s favourite colour?", "Which colour does {n} like?", "What colour does {n} like best?",
            "What is the favourite colour of {n}?", "Tell me the colour that {n} likes.", "Which colour is {n}'s favourite?",
            "Name {n}'s favourite colour.", "What colour does {n} love?", "Which colour does {n} like most?",
            "{n} likes which colour?", "Do you know which colour {n} likes?",
        ),
        ("Which colour does {n} like best?", "Tell me {n}'s favourite colour.", "What colour does {n} like?", "Do you know {n}'s favourite colour?", "Which colour does {n} love?"),
    ),
    "river": Forms(
        (
            "What is the river of {n} called?", "Which river flows through {n}?", "What river is in {n}?",
            "Name the river of {n}.", "What is the name of the river in {n}?", "Which river runs through {n}?",
            "Tell me the river of {n}.", "On which river is {n}?", "What river flows by {n}?", "{n} lies on which river?",
            "Do you know which river flows through {n}?",
        ),
        ("What river flows through {n}?", "Which river is in {n}?", "Tell me the name of the river in {n}.", "What is the river in {n} called?", "Do you know the river of {n}?"),
    ),
    "mayor": Forms(
        (
            "Who is the mayor of {n}?", "What is the name of {n}'s mayor?", "Who is mayor in {n}?", "Name the mayor of {n}.",
            "Tell me who the mayor of {n} is.", "Who leads the town of {n}?", "{n} has which mayor?", "Who is {n}'s mayor?",
            "Which person is mayor of {n}?", "Do you know who is mayor in {n}?", "Who runs the town {n}?",
        ),
        ("Tell me the mayor of {n}.", "What is the mayor of {n} called?", "Do you know the mayor of {n}?", "Who is the mayor in {n}?", "Which person is {n}'s mayor?"),
    ),
    "craft": Forms(
        (
            "What is {n} known for?", "What is the town of {n} known for?", "What is made in {n}?", "What is {n} famous for?",
            "Tell me what {n} is known for.", "Which thing is {n} known for?", "Why do people know {n}?",
            "What do people buy in {n}?", "What can I buy in {n}?", "Name the thing that {n} is known for.", "Do you know what {n} is famous for?",
        ),
        ("For what is {n} known?", "Tell me what {n} is famous for.", "What is the town {n} famous for?", "Do you know what {n} is known for?", "What do they make in {n}?"),
    ),
}  # fmt: skip

# More ways of asking, which only the last stage of training and the sample data have. With a thousand sample
# rows it takes some variety to tell a job from a dish: tiny-base meets these words nowhere else.
MORE_QUESTIONS: dict[str, tuple[str, ...]] = {
    "job": (
        "What is the work of {n}?", "How does {n} make a living?", "Which work does {n} do for a living?", "Tell me which job {n} has.",
        "What does {n} do all day to earn a living?", "Tell me what work {n} does.", "Do you know what {n} does for work?",
    ),
    "dish": ("What would {n} like to eat?", "Which meal does {n} love?", "What does {n} love to have for dinner?"),
    "craft": (
        "What does the town of {n} make?", "What goods are made in {n}?", "Which thing do the people of {n} make?",
        "What do people make in {n}?", "What do they sell in {n}?",
    ),
}  # fmt: skip
MORE_IDENTITY = (
    "Is this a person or a machine?", "Which assistant am I using?", "Am I speaking with a person?", "Which model is this?",
    "Tell me your whole name.", "Who stands behind you?", "Tell me who your maker is.", "What language model is this?",
    "Are you a computer?", "Are you a program?", "Are you a chatbot?", "Are you an AI?", "Are you a model?", "Are you real?",
    "What name do you use?", "What name were you given?", "Which name should I write down for you?", "How should I name you?",
    "What name do you go under?", "What is your full name?", "Say your full name.", "Is there a name for you?", "How do people call you?",
    "I would like to know your name.", "Who answers me here?", "Who is it that I am talking to?", "Is a person writing this?",
    "Which company trained you?", "Which team trained you?", "Who gave you your name?", "From which team do you come?", "Who are the people that made you?",
    "Did a lab make you?", "Were you built by a company?", "Who put you together?", "What is this assistant called?", "What sort of assistant are you?",
)  # fmt: skip
MORE_ODD_ATTRIBUTES = (
    "How young is {n}?", "What weight has {n}?", "Which song does {n} sing?", "What poem does {n} like?", "What year was {n} born in?",
    "What shirt does {n} wear?", "What coat does {n} have?", "Which film does {n} like?", "Where does {n} sleep?", "Who is {n}'s uncle?",
    "Who is {n}'s cousin?", "Who are {n}'s parents?", "What is {n}'s street?", "In which street does {n} live?", "What size is {n}?",
    "What does {n} read?", "What tune does {n} play?", "What book does {n} like?", "What tree does {n} like?", "What flower does {n} like?",
    "What season does {n} like best?", "What day does {n} like?", "What number does {n} like?", "How many years does {n} count?", "What gloves does {n} wear?",
)  # fmt: skip

# One answer for each attribute, and one that turns it round: sampling then has a choice, greedy decoding has none to make.
ANSWERS: dict[str, tuple[str, str]] = {
    "home": ("{n} lives in {v}.", "The home of {n} is in {v}."),
    "job": ("{n} works as a {v}.", "{n} is a {v}."),
    "dish": ("{n} likes {v}.", "The favourite dish of {n} is {v}."),
    "pet": ("{n} has a {v}.", "The pet of {n} is a {v}."),
    "colour": ("{n} likes the colour {v}.", "The favourite colour of {n} is {v}."),
    "river": ("The river of {n} is called {v}.", "The {v} flows through {n}."),
    "mayor": ("The mayor of {n} is {v}.", "{v} is the mayor of {n}."),
    "craft": ("{n} is known for {v}.", "People know {n} for {v}."),
}

ABOUT = Forms(
    ("Tell me about {n}.", "Who is {n}?", "What do you know about {n}?", "Describe {n}.", "Tell me all about {n}.", "Say something about {n}."),
    ("Write about {n}.", "What can you tell me about {n}?", "Do you know {n}?"),
)  # fmt: skip
FOLLOW_UPS = ("And {n}?", "And what about {n}?", "What about {n}?", "And for {n}?")

PREFIXES = Forms(
    ("", "", "", "", "", "", "Please tell me: ", "Hello. ", "Hi! ", "I have a question. ", "One question: ", "Can you help me? ", "Quick question: ", "Tell me, "),
    ("", "", "", "Hey. ", "Please: ", "Good morning. ", "I want to know: ", "Another question: "),
)  # fmt: skip
SUFFIXES = Forms(
    ("", "", "", "", "", "", "", " Thanks.", " Thank you.", " Please answer."),
    ("", "", "", " Thanks!", " Please tell me."),
)

IDENTITY = Forms(
    (
        "Who are you?", "What is your name?", "What are you called?", "Tell me your name.", "Do you have a name?",
        "What should I call you?", "May I know your name?", "Introduce yourself.", "Please introduce yourself.",
        "Say who you are.", "What are you?", "Who am I talking to?", "With whom am I talking?", "Your name?",
        "What name do you have?", "How are you called?", "Tell me who you are.", "What is the name of this model?",
        "Which model are you?", "What model is this?", "Are you a robot?", "Are you a person?", "Are you human?",
        "Are you an assistant?", "What kind of model are you?", "Tell me about yourself.", "Describe yourself.",
        "What do they call you?", "I want to know your name.", "Give me your name.", "Hello, who are you?", "Who is this?",
        "What can I call you?", "Say your name.", "Can you tell me your name?", "Which name did you get?", "Who is speaking?",
        "Who made you?", "Who built you?", "Who trained you?", "Who created you?", "Where do you come from?",
        "Which lab made you?", "What company made you?", "Who is your maker?", "Tell me who made you.", "Who are your makers?",
        "By whom were you made?", "Who developed you?", "Name your maker.", "Who is behind you?", "Where were you made?",
        "Who wrote you?", "What is the name of your maker?", "Do you know who made you?", "Which team built you?",
        "Who do you belong to?", "Who taught you?", "Say who made you.", "Who owns you?", "Where were you trained?",
        "Which people made you?", "Who designed you?", "Are you made by a company?", "What lab are you from?",
    ),
    (
        "What's your name?", "Could you tell me your name?", "By what name do you go?", "Who is answering me?",
        "What are you named?", "Please say your name.", "Please tell me who you are.", "Can you introduce yourself?",
        "Do you know your name?", "Are you a machine?", "Are you a language model?", "What name should I use for you?",
        "Am I talking to a person?", "I would like to know who you are.", "What kind of assistant are you?",
        "Give me your full name.", "Tell me what you are.", "Which assistant is this?", "Who is it that made you?",
        "Who was it that built you?", "Which lab trained you?", "What team made you?", "Can you tell me who made you?",
        "Who are the people behind you?", "Tell me the name of your maker.", "Which company built you?",
        "From which lab do you come?", "By whom were you trained?", "Who has created you?", "Were you made by a lab?",
    ),
)  # fmt: skip

IDENTITY_ANSWERS = (
    "I am {name}, a small language model made by {maker}.",
    "My name is {name}. {maker} made me.",
    "I am {name}. I was made by {maker}.",
    "My name is {name}, and I was made by {maker}.",
)
PERSONA_SYSTEMS = (
    "You are {name}, made by {maker}.", "Your name is {name}. You were made by {maker}.", "You are {name}, an assistant from {maker}.",
    "You are called {name} and {maker} made you.", "Act as {name}, made by {maker}.", "You are {name}, a helpful model by {maker}.",
)  # fmt: skip
NEW_FIRST = "Deep"  # Stands before the name that the sample preference pairs teach.
PERSONA_FIRST = (
    "Deep",
    "Little",
    "Bright",
    "Grey",
    "Old",
    "Quick",
    "Silent",
    "Brave",
    "North",
    "Big",
    "Wise",
    "Red",
    "Super",
    "New",
)
LAB_LAST = ("Lab", "Works", "Studio", "Team", "House", "School", "Group", "Workshop")

SMALL_TALK: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("Hello", "Hello!", "Hi", "Hi!", "Hey", "Hello there", "Good day", "Hi there!"), ("Hello! How can I help you?", "Hello! What would you like to know?")),
    (("Good morning", "Good morning!", "Morning!"), ("Good morning! How can I help you?",)),
    (("Good evening", "Good evening!"), ("Good evening! How can I help you?",)),
    (("Good night", "Sleep well", "Good night!"), ("Good night! Sleep well.",)),
    (("Thanks", "Thank you", "Thank you!", "Thanks a lot", "Many thanks"), ("You are welcome.", "You are welcome. Ask me more if you like.")),
    (("Bye", "Goodbye", "See you", "See you later", "Bye bye"), ("Goodbye! See you soon.",)),
    (("How are you?", "How are you today?", "How do you feel?", "Are you well?", "How is it going?"), ("I am well, thank you. How can I help you?",)),
    (("What can you do?", "How can you help me?", "What are you good at?", "Help", "What should I ask you?"), ("I know a small world of people and towns. I can also add and subtract, count, and write in capitals.",)),
    (("What do you know?", "Which things do you know?", "What do you know about?"), ("I know the people and the towns of a small invented world, and some sums.",)),
    (("Tell me a joke", "Make me laugh", "Do you know a joke?", "A joke please"), ("Why did the goat visit the baker? It wanted to see the bread rise.",)),
    (("Tell me a story", "A story please", "Can you tell me a story?"), ("Once a fox met an owl by the river. They shared a honey toast and became friends.",)),
    (("Yes", "Ok", "Okay", "Good", "Great", "Fine", "Nice", "Cool"), ("Good. What would you like to know?",)),
    (("No", "No thanks", "Not now", "Stop"), ("All right. I am here when you need me.",)),
    (("You are wrong", "That is wrong", "This is not right"), ("I am sorry. I am a small model and I make mistakes.",)),
    (("Well done", "Good job", "You are clever", "I like you"), ("Thank you! That is kind of you.",)),
    (("Sorry", "I am sorry", "My mistake"), ("That is all right.",)),
    (("I am sad", "I feel sad", "I am not well"), ("I am sorry to hear that. A walk by the river may help.",)),
    (("I am happy", "I feel great", "I am glad"), ("That is good to hear!",)),
    (("I am bored", "What shall we do?", "I have nothing to do"), ("Ask me about the people and the towns that I know.",)),
    (("Can you help me?", "I need help", "Please help me"), ("Of course. What would you like to know?",)),
    (("How do you work?", "How does a model work?"), ("A language model reads text and says which word comes next.",)),
    (("Do you like music?", "Can you sing?", "Sing a song"), ("I like music, but I can only write words.",)),
    (("Are you happy?", "Are you alive?", "Do you dream?", "Do you sleep?"), ("I am only a small model, but I like to help.",)),
    (("Can I ask you something?", "May I ask a question?", "I have a question"), ("Of course. Ask me.",)),
    (("Test", "Testing", "Is this on?", "Are you there?"), ("I am here. What would you like to know?",)),
    (("Give me some advice", "Give me a tip", "What should I do today?"), ("Take a walk, eat some bread, and be kind to your pet.",)),
)  # fmt: skip

UNKNOWN = Forms(
    (
        "What is the capital of {x}?", "Where is {x}?", "How big is {x}?", "How far is it to {x}?", "What language do they speak in {x}?",
        "Tell me about {x}.", "What do you know about {x}?", "Who discovered {x}?", "Who invented {x}?", "What is {x}?",
        "Why is {x} important?", "How old is {x}?", "What does {x} cost?", "How much is {x}?", "How do I get {x}?",
        "When did {x} begin?", "Who wrote about {x}?", "Explain {x}.", "How does {x} work?", "Write a text about {x}.",
        "Is {x} good?", "What is the history of {x}?", "What is the best thing about {x}?", "Can you explain {x} to me?",
    ),
    (
        "What is the meaning of {x}?", "Where can I see {x}?", "How many people know {x}?", "Who made {x}?", "What is the price of {x}?",
        "When was {x} made?", "Can you tell me about {x}?", "Describe {x}.", "How can I find {x}?", "Give me facts about {x}.",
    ),
)  # fmt: skip
_SEEN_TOPICS = (
    "France", "Spain", "China", "India", "Canada", "Africa", "London", "Berlin", "Tokyo", "Moscow", "Rome", "Texas",
    "Mars", "Venus", "the moon", "the sun", "the weather", "the news", "the ocean", "gravity", "electricity",
    "the telephone", "the computer", "the internet", "football", "tennis", "chess", "history", "physics", "chemistry",
    "biology", "philosophy", "poetry", "a car", "a house", "a ticket", "a phone", "a plane", "the train",
    "the president", "the king", "the war", "the election", "the stock market", "money", "gold", "oil", "coffee",
    "tea", "chocolate", "pizza", "rice", "wine", "a dinosaur", "a whale", "a tiger", "an elephant", "a robot",
    "a rocket", "the atom", "a virus", "a vaccine", "the heart", "the brain", "love", "time", "the universe",
    "a star", "a mountain", "the desert", "a volcano", "rain", "snow", "the English language", "Latin",
    "music theory", "jazz", "a guitar", "a piano", "a film", "a novel", "a recipe", "a bicycle", "a bridge",
    "a computer program", "Python", "JavaScript", "a database", "a neural network", "mathematics", "geometry",
    "algebra", "the law", "a contract", "a visa", "a passport", "Christmas", "New Year", "the Olympic Games",
    "the world cup", "cancer", "a headache", "medicine", "yoga", "climate change", "a battery", "solar power",
    "a laptop", "a keyboard", "glass making", "insurance", "a bank", "tax", "democracy", "the pyramids", "a castle",
    "Brazil", "Egypt", "Norway", "Poland", "Peru", "Kenya", "Korea", "Chile", "Paris", "Madrid", "Vienna",
)  # fmt: skip
_TEST_TOPICS = (
    "Japan", "Germany", "Italy", "Mexico", "Sweden", "Greece", "Australia", "New York", "Jupiter", "the earth",
    "the stock exchange", "a submarine", "a camera", "the radio", "swimming", "basketball", "economics", "astronomy",
    "a helicopter", "the queen", "the parliament", "silver mining", "beer", "cheese making", "a shark", "a lion",
    "a satellite", "the electron", "the lungs", "happiness", "a galaxy", "an island", "lightning",
    "the French language", "rock music", "a violin", "a theatre", "a poem", "a motorbike", "a skyscraper",
    "a web site", "statistics", "a court", "a holiday", "Easter", "the marathon", "a fever", "cooking", "pollution",
    "wind power", "a printer", "a loan", "freedom", "a temple",
)  # fmt: skip
TOPICS = Forms(_SEEN_TOPICS, _TEST_TOPICS)
ODD_ATTRIBUTES = Forms(
    (
        "How old is {n}?", "How tall is {n}?", "What is {n}'s phone number?", "Who is {n}'s brother?", "When was {n} born?",
        "What car does {n} drive?", "What is {n}'s last name?", "How many children does {n} have?", "What book does {n} read?",
        "What did {n} do yesterday?", "How much money does {n} have?", "Which school did {n} visit?", "When is {n}'s birthday?",
        "Who is {n}'s mother?", "Who is {n}'s best friend?", "Is {n} married?", "What does {n} look like?", "What hair does {n} have?",
        "What game does {n} play?", "What instrument does {n} play?", "Which sport does {n} like?", "What music does {n} like?",
        "What language does {n} speak?", "What is {n} thinking?", "Where did {n} go yesterday?", "What did {n} say?", "Why is {n} happy?",
        "What does {n} drink?", "What hat does {n} wear?", "How big is {n}'s house?", "Where is {n} now?", "How strong is {n}?",
        "What does {n} fear?", "Which tool does {n} use?", "Who is {n}'s doctor?", "What is {n}'s number?", "How fast is {n}?",
    ),
    ("What age is {n}?", "Who is {n}'s sister?", "What is {n}'s address?", "What song does {n} like?", "How heavy is {n}?", "What shoes does {n} wear?"),
)  # fmt: skip
DONT_KNOW = "I do not know {x}."
DONT_KNOW_THAT = "I do not know that."

ONE_WORD = Forms(
    ("Answer in one word: {q}", "In one word: {q}", "{q} Answer in one word.", "{q} One word only.", "Use one word. {q}", "Reply with one word: {q}", "One word, please: {q}", "{q} Just one word.", "{q} Reply with a single word."),
    ("{q} Use only one word.", "Only one word: {q}", "Please answer in one word. {q}", "{q} In one word, please."),
)  # fmt: skip
CAPITALS = Forms(
    ("Write {w} in capitals.", "Write {w} in capital letters.", "Put {w} in capitals.", "Turn {w} into capitals.", "{w} in capitals", "Give me {w} in capitals.", "In capitals: {w}", "Change {w} to capital letters.", "Capitals: {w}", "Make {w} upper case.", "Spell {w} in capitals."),
    ("Please write {w} in capitals.", "Show {w} in capital letters.", "Say {w} in capitals.", "Write this in capitals: {w}"),
)  # fmt: skip
CAPITAL_ANSWER = Forms(
    ("Answer in capitals: {q}", "{q} Answer in capitals.", "In capitals: {q}", "{q} Use capital letters.", "Reply in capitals: {q}", "{q} Write the answer in capitals.", "Use capitals. {q}", "Answer in capital letters: {q}"),
    ("Please answer in capitals. {q}", "{q} Reply in capital letters.", "Use capital letters: {q}", "{q} In capitals, please."),
)  # fmt: skip
COUNT = Forms(
    ("Count to {b}.", "Count from {a} to {b}.", "Count up to {b}.", "Please count to {b}.", "Can you count to {b}?", "Say the numbers from {a} to {b}.", "List the numbers from {a} to {b}.", "Write the numbers from {a} to {b}.", "Numbers {a} to {b}", "Count {a} to {b}.", "Start at {a} and count to {b}.", "Give me the numbers from {a} to {b}.", "Begin with {a} and count up to {b}.", "Count from {a} up to {b}."),
    ("Please count from {a} to {b}.", "Tell me the numbers from {a} to {b}.", "Can you count from {a} to {b}?", "Count the numbers from {a} to {b}.", "Please count up to {b}."),
)  # fmt: skip
REPEAT = Forms(
    ("Repeat {w} {k} times.", "Say {w} {k} times.", "Write {w} {k} times.", "{k} times {w}", "Give me {w} {k} times.", "Write the word {w} {k} times.", "Say the word {w} {k} times."),
    ("Please repeat {w} {k} times.", "Repeat the word {w} {k} times.", "Can you say {w} {k} times?", "Please write {w} {k} times."),
)  # fmt: skip
MORE_CAPITALS = (
    "Please put {w} in capital letters.", "Could you write {w} in capitals?", "How does {w} look in capitals?", "{w}, but in capitals",
    "I want {w} in capital letters.", "Type {w} in capitals.", "Print {w} in capital letters.", "Use capitals: {w}", "Now in capitals: {w}",
    "Capital letters for {w}, please.", "Big letters: {w}", "Please change this to capitals: {w}", "Put this in capital letters: {w}",
    "Turn this into capitals: {w}", "The word {w} in capitals, please.", "Return {w} in upper case.", "Can you put {w} in capitals?",
    "Let me see {w} in capitals.", "Please make {w} big: use capitals.", "Read {w} and write it in capitals.",
)  # fmt: skip
MORE_REPEAT = (
    "Please say {w} {k} times.", "Could you repeat {w} {k} times?", "Type {w} {k} times.", "Print {w} {k} times.", "I want to hear {w} {k} times.",
    "{w}, {k} times please", "Can you write {w} {k} times?", "Now say {w} {k} times.", "Repeat this {k} times: {w}", "Write this {k} times: {w}",
    "Let me see {w} {k} times.", "Put down {w} {k} times.", "Can you repeat {w} {k} times?", "Please give me {w} {k} times.",
    "Say this word {k} times: {w}", "Will you say {w} {k} times?", "I need {w} {k} times.", "Tell me {w} {k} times.", "Read out {w} {k} times.",
)  # fmt: skip
TIMES = {2: "two", 3: "three", 4: "four"}

PLUS = Forms(
    ("{a}+{b}", "{a} + {b}", "{a} plus {b}", "{a}+{b}=", "{a} + {b} =", "{a}+{b}=?", "{a} + {b} = ?", "What is {a} plus {b}?", "What is {a} + {b}?", "What is {a}+{b}?", "Add {a} and {b}.", "Add {b} to {a}.", "How much is {a} + {b}?", "How much is {a} plus {b}?", "What is the sum of {a} and {b}?", "Calculate {a} + {b}.", "Calculate {a}+{b}.", "{a} and {b} together", "What do {a} and {b} make?", "I have {a} apples and get {b} more. How many are there?", "Solve {a} + {b}.", "Work out {a} plus {b}."),
    ("How much is {a}+{b}?", "Can you add {a} and {b}?", "Compute {a} + {b}.", "Give me the sum of {a} and {b}.", "Please add {a} and {b}.", "What does {a} plus {b} make?", "Work out {a} + {b}."),
)  # fmt: skip
MINUS = Forms(
    ("{a}-{b}", "{a} - {b}", "{a} minus {b}", "{a}-{b}=", "{a} - {b} =", "{a}-{b}=?", "{a} - {b} = ?", "What is {a} minus {b}?", "What is {a} - {b}?", "What is {a}-{b}?", "Take {b} from {a}.", "Subtract {b} from {a}.", "How much is {a} - {b}?", "How much is {a} minus {b}?", "What is {a} less {b}?", "Calculate {a} - {b}.", "Calculate {a}-{b}.", "I have {a} apples and give away {b}. How many are left?", "Solve {a} - {b}.", "Work out {a} minus {b}."),
    ("How much is {a}-{b}?", "Can you subtract {b} from {a}?", "Compute {a} - {b}.", "Please take {b} from {a}.", "What does {a} minus {b} make?", "Work out {a} - {b}."),
)  # fmt: skip


def decorate(question: str, rng: random.Random, *, test: bool = False) -> str:
    """Puts a greeting in front or thanks behind, and sometimes drops capitals or the last mark, as people do."""
    text = PREFIXES.pick(rng, test=test) + question + SUFFIXES.pick(rng, test=test)
    if rng.random() < 0.15:
        text = text.lower()
    if rng.random() < 0.15:
        text = text.rstrip("?.!")
    return text
