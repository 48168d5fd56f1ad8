cat > words.cpp <<'E'
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <future>
#include <iostream>
#include <map>
#include <regex>
#include <stdexcept>
#include <string>
#include <vector>

int main() {
    std::filesystem::create_directories("a/b");
    std::ofstream("a/b/text") << "one two three two three three";
    std::ifstream in("a/b/text");
    std::string text((std::istreambuf_iterator<char>(in)), {});
    std::map<std::string, int> count;
    std::regex word("[a-z]+");
    for (std::sregex_iterator i(text.begin(), text.end(), word), end; i != end; ++i)
        count[i->str()]++;
    std::vector<std::future<int>> jobs;
    for (int i = 0; i < 8; i++)
        jobs.push_back(std::async(std::launch::async, [i] {
            if (i == 5)
                throw std::runtime_error("five");
            return i * i;
        }));
    for (auto &job : jobs)
        try {
            std::cout << job.get() << ' ';
        } catch (const std::exception &error) {
            std::cout << error.what() << ' ';
        }
    for (auto &[name, number] : count)
        std::cout << name << '=' << number << ' ';
    std::cout << std::filesystem::remove_all("a") << '\n';
}
E
g++ -std=c++17 -O2 -Wall -pthread -o words words.cpp
./words
