/** The keys that the tests sign with. Nothing else uses them. */
export const SECRET = "kq2V-3xJ9_wTz7LmPbY4cRhN8sGdF6uA";
export const OTHER_SECRET = "Zp5n_Qe1yX8rKtW0vBj-3HfMlC6oUaS9";
